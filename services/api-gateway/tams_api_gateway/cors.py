"""What browsers need to hear before pages of other origins may use the store (GEN-17)."""

from typing import Final

from tams_common.http.message import Response
from tams_common.model.values import CHECKSUMS, READABLE

EXPOSED: Final = ", ".join(
    (
        *("Link", "Location", "Retry-After", "X-Request-ID", "X-Paging-Limit", "X-Paging-NextKey", "X-Paging-Count"),
        *("X-Paging-Reverse-Order", "X-Paging-Timerange", *READABLE),
    )
)
"""By name, because `*` does not count for requests with credentials; of media the same as from a bucket."""
_ALLOWED_HEADERS: Final = ", ".join(
    (
        *("Authorization", "Content-Type", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"),
        *("If-Range", "Range", "X-Request-ID", "Idempotency-Key", "Last-Event-ID", "Content-MD5", *CHECKSUMS),
    )
)
"""By name, as `*` does not cover `Authorization`; of an upload's checksums all, so that pages hear which are taken."""
_MAX_AGE: Final = "7200"


def allow_everywhere(headers: dict[str, str]) -> None:
    """Marks a response: no cookie is ever used here, so every origin may read what its token permits."""
    headers["access-control-allow-origin"] = "*"
    headers["access-control-expose-headers"] = EXPOSED


def options(allowed: tuple[str, ...]) -> Response:
    """The answer to OPTIONS, preflight or not, for a path with the methods `allowed`."""
    methods = ", ".join(allowed)
    return Response(
        204,
        b"",
        {
            "allow": methods,
            "access-control-allow-methods": methods,
            "access-control-allow-headers": _ALLOWED_HEADERS,
            "access-control-max-age": _MAX_AGE,
        },
    )
