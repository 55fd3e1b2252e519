"""The paths that segments answers."""

from typing import Final

import msgspec

from tams_common.http.routing import Handler, Route

SEGMENTS_BODY_LIMIT: Final = 8 * 1024 * 1024
"""Bytes: arrays of 6 MiB are usual, thousands of segments at once."""


class Handlers(msgspec.Struct, frozen=True, kw_only=True):
    """One handler for each route."""

    list_backends: Handler
    allocate_storage: Handler
    list_segments: Handler
    register_segments: Handler
    delete_segments: Handler
    get_object: Handler
    get_media: Handler
    put_media: Handler
    delete_flow: Handler
    get_extent: Handler


def routes(h: Handlers) -> tuple[Route, ...]:
    """The list, in the specification's order; media and internal paths are ours."""
    return (
        Route("GET", "/service/storage-backends", h.list_backends),
        Route("GET", "/flows/{flow_id}/segments", h.list_segments),
        Route("POST", "/flows/{flow_id}/segments", h.register_segments, body_limit=SEGMENTS_BODY_LIMIT),
        Route("DELETE", "/flows/{flow_id}/segments", h.delete_segments),
        Route("POST", "/flows/{flow_id}/storage", h.allocate_storage),
        Route("GET", "/objects/{object_id}", h.get_object),
        Route("GET", "/media/{key}", h.get_media),
        Route("PUT", "/media/{key}", h.put_media),
        Route("PUT", "/internal/flows/{flow_id}/deletion", h.delete_flow),
        Route("GET", "/internal/flows/{flow_id}/extent", h.get_extent),
    )
