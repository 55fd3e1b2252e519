"""The paths that segments answers."""

from typing import Final

import msgspec

from tams_common.http.routing import Handler, Route
from tams_segments import operations as ops

SEGMENTS_BODY_LIMIT: Final = 8 * 1024 * 1024
"""Bytes: arrays of 6 MiB are usual, thousands of segments at once."""


class Handlers(msgspec.Struct, frozen=True, kw_only=True):
    """One handler for each route."""

    list_backends: Handler
    allocate_storage: Handler
    list_segments: Handler
    register_segments: Handler
    delete_segments: Handler
    list_deletions: Handler
    get_deletion: Handler
    get_object: Handler
    create_instance: Handler
    delete_instance: Handler
    get_media: Handler
    put_media: Handler
    delete_flow: Handler
    get_extent: Handler
    render_segments: Handler


def routes(h: Handlers) -> tuple[Route, ...]:
    """The list, in the specification's order; media and internal paths are ours."""
    return (
        Route("GET", "/service/storage-backends", h.list_backends, operation=ops.LIST_BACKENDS),
        Route("GET", "/flows/{flow_id}/segments", h.list_segments, operation=ops.LIST_SEGMENTS),
        Route(
            "POST",
            "/flows/{flow_id}/segments",
            h.register_segments,
            body_limit=SEGMENTS_BODY_LIMIT,
            operation=ops.REGISTER_SEGMENTS,
        ),
        Route("DELETE", "/flows/{flow_id}/segments", h.delete_segments, operation=ops.DELETE_SEGMENTS),
        Route("POST", "/flows/{flow_id}/storage", h.allocate_storage, operation=ops.ALLOCATE_STORAGE),
        Route("GET", "/objects/{object_id}", h.get_object, operation=ops.GET_OBJECT),
        Route("POST", "/objects/{object_id}/instances", h.create_instance, operation=ops.CREATE_INSTANCE),
        Route("DELETE", "/objects/{object_id}/instances", h.delete_instance, operation=ops.DELETE_INSTANCE),
        Route("GET", "/flow-delete-requests", h.list_deletions, operation=ops.LIST_DELETIONS),
        Route("GET", "/flow-delete-requests/{request_id}", h.get_deletion, operation=ops.GET_DELETION),
        Route("GET", "/media/{key}", h.get_media, operation=ops.GET_MEDIA),
        Route("PUT", "/media/{key}", h.put_media, operation=ops.PUT_MEDIA),
        Route("PUT", "/internal/flows/{flow_id}/deletion", h.delete_flow),
        Route("GET", "/internal/flows/{flow_id}/extent", h.get_extent),
        Route("POST", "/internal/segments/rendered", h.render_segments, body_limit=SEGMENTS_BODY_LIMIT),
    )
