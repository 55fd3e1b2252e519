"""Every public path: which service answers it, whom it is for (AUTH-10 to AUTH-17), and how large a body may be."""

from typing import Final

import msgspec

from tams_common.auth import ADMIN, DELETE, READ, SCOPES, WRITE

CATALOG: Final = "catalog"
SEGMENTS: Final = "segments"
WEBHOOKS: Final = "webhooks"
GATEWAY: Final = "api-gateway"
"""Answers a few paths itself: what describes the whole store belongs to no service."""

METADATA: Final = 1024 * 1024
BULK: Final = 8 * 1024 * 1024
"""Bytes of a bulk of segments; clients send up to 6 MiB."""


class Public(msgspec.Struct, frozen=True):
    """One method of one path; a GET answers HEAD, too (HEAD-1).

    One of `scopes` is needed, or admin; None asks for no credentials. `body_limit` is in bytes, None leaves it to the
    service. What an `endless` one answers does not end.
    """

    method: str
    path: str
    service: str
    scopes: frozenset[str] | None
    body_limit: int | None = METADATA
    endless: bool = False


_ANY: Final = SCOPES
_READ: Final = frozenset({READ})
_WRITE: Final = frozenset({WRITE})
_DELETE: Final = frozenset({DELETE})
_ADMIN: Final = frozenset({ADMIN})
_READ_OR_WRITE: Final = frozenset({READ, WRITE})  # T-52
_EVERYONE: Final = None
_SIGNED: Final = None  # the signature in the URL is the permission

SPECIFICATION: Final = (
    # Service
    Public("GET", "/", CATALOG, _ANY),
    Public("GET", "/service", CATALOG, _ANY),
    Public("POST", "/service", CATALOG, _ADMIN),
    Public("GET", "/service/storage-backends", SEGMENTS, _ANY),
    Public("GET", "/service/profiles", CATALOG, _READ),
    Public("GET", "/service/profiles/{profile_id}", CATALOG, _READ),
    Public("POST", "/service/profiles/{profile_id}", CATALOG, _WRITE),
    Public("GET", "/service/webhooks", WEBHOOKS, _READ),
    Public("POST", "/service/webhooks", WEBHOOKS, _WRITE),
    Public("GET", "/service/webhooks/{webhook_id}", WEBHOOKS, _READ),
    Public("PUT", "/service/webhooks/{webhook_id}", WEBHOOKS, _READ_OR_WRITE),
    Public("DELETE", "/service/webhooks/{webhook_id}", WEBHOOKS, _READ_OR_WRITE),
    # Sources
    Public("GET", "/sources", CATALOG, _READ),
    Public("GET", "/sources/{source_id}", CATALOG, _READ),
    Public("GET", "/sources/{source_id}/tags", CATALOG, _READ),
    Public("GET", "/sources/{source_id}/tags/{name}", CATALOG, _READ),
    Public("PUT", "/sources/{source_id}/tags/{name}", CATALOG, _WRITE),
    Public("DELETE", "/sources/{source_id}/tags/{name}", CATALOG, _WRITE),
    Public("GET", "/sources/{source_id}/description", CATALOG, _READ),
    Public("PUT", "/sources/{source_id}/description", CATALOG, _WRITE),
    Public("DELETE", "/sources/{source_id}/description", CATALOG, _WRITE),
    Public("GET", "/sources/{source_id}/label", CATALOG, _READ),
    Public("PUT", "/sources/{source_id}/label", CATALOG, _WRITE),
    Public("DELETE", "/sources/{source_id}/label", CATALOG, _WRITE),
    # Flows
    Public("GET", "/flows", CATALOG, _READ),
    Public("GET", "/flows/{flow_id}", CATALOG, _READ),
    Public("PUT", "/flows/{flow_id}", CATALOG, _WRITE),
    Public("DELETE", "/flows/{flow_id}", CATALOG, _DELETE),
    Public("GET", "/flows/{flow_id}/tags", CATALOG, _READ),
    Public("GET", "/flows/{flow_id}/tags/{name}", CATALOG, _READ),
    Public("PUT", "/flows/{flow_id}/tags/{name}", CATALOG, _WRITE),
    Public("DELETE", "/flows/{flow_id}/tags/{name}", CATALOG, _WRITE),
    Public("GET", "/flows/{flow_id}/description", CATALOG, _READ),
    Public("PUT", "/flows/{flow_id}/description", CATALOG, _WRITE),
    Public("DELETE", "/flows/{flow_id}/description", CATALOG, _WRITE),
    Public("GET", "/flows/{flow_id}/label", CATALOG, _READ),
    Public("PUT", "/flows/{flow_id}/label", CATALOG, _WRITE),
    Public("DELETE", "/flows/{flow_id}/label", CATALOG, _WRITE),
    Public("GET", "/flows/{flow_id}/read_only", CATALOG, _READ),
    Public("PUT", "/flows/{flow_id}/read_only", CATALOG, _WRITE),
    Public("GET", "/flows/{flow_id}/flow_collection", CATALOG, _READ),
    Public("PUT", "/flows/{flow_id}/flow_collection", CATALOG, _WRITE),
    Public("DELETE", "/flows/{flow_id}/flow_collection", CATALOG, _WRITE),
    Public("GET", "/flows/{flow_id}/max_bit_rate", CATALOG, _READ),
    Public("PUT", "/flows/{flow_id}/max_bit_rate", CATALOG, _WRITE),
    Public("DELETE", "/flows/{flow_id}/max_bit_rate", CATALOG, _WRITE),
    Public("GET", "/flows/{flow_id}/avg_bit_rate", CATALOG, _READ),
    Public("PUT", "/flows/{flow_id}/avg_bit_rate", CATALOG, _WRITE),
    Public("DELETE", "/flows/{flow_id}/avg_bit_rate", CATALOG, _WRITE),
    # Segments, objects, storage
    Public("GET", "/flows/{flow_id}/segments", SEGMENTS, _READ),
    Public("POST", "/flows/{flow_id}/segments", SEGMENTS, _WRITE, BULK),
    Public("DELETE", "/flows/{flow_id}/segments", SEGMENTS, _DELETE),
    Public("POST", "/flows/{flow_id}/storage", SEGMENTS, _WRITE),
    Public("GET", "/objects/{object_id}", SEGMENTS, _READ),
    Public("POST", "/objects/{object_id}/instances", SEGMENTS, _WRITE),
    Public("DELETE", "/objects/{object_id}/instances", SEGMENTS, _WRITE),
    Public("GET", "/flow-delete-requests", SEGMENTS, _ADMIN),
    Public("GET", "/flow-delete-requests/{request_id}", SEGMENTS, _DELETE),
)
"""The specification's operations, in its order."""

EXTENSIONS: Final = (
    Public("GET", "/media/{key}", SEGMENTS, _SIGNED),
    Public("PUT", "/media/{key}", SEGMENTS, _SIGNED, None),
    # Deliveries of webhooks
    Public("GET", "/service/webhooks/{webhook_id}/deliveries", WEBHOOKS, _READ),
    Public("POST", "/service/webhooks/{webhook_id}/deliveries/replay", WEBHOOKS, _READ_OR_WRITE),
    Public("GET", "/service/webhooks/{webhook_id}/deliveries/replays", WEBHOOKS, _READ),
    Public("DELETE", "/service/webhooks/{webhook_id}/deliveries/replays/{replay_id}", WEBHOOKS, _READ_OR_WRITE),
    Public("POST", "/service/webhooks/{webhook_id}/deliveries/retry", WEBHOOKS, _READ_OR_WRITE),
    Public("POST", "/service/webhooks/{webhook_id}/deliveries/test", WEBHOOKS, _READ_OR_WRITE),
    Public("GET", "/.well-known/webhook-keys.json", WEBHOOKS, _EVERYONE),
    # Events
    Public("GET", "/events", WEBHOOKS, _READ, endless=True),
    Public("GET", "/asyncapi.json", WEBHOOKS, _ANY),
    # About the store, for everyone
    Public("GET", "/openapi.json", GATEWAY, _EVERYONE),
    Public("GET", "/docs", GATEWAY, _EVERYONE),
    Public("GET", "/docs/{file}", GATEWAY, _EVERYONE),
)
"""What is ours."""

ROUTES: Final = (*SPECIFICATION, *EXTENSIONS)
