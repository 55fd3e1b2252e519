"""What browsers need to hear before pages of other origins may use the store (GEN-17)."""

from typing import Final

from tams_common.http.message import Response

EXPOSED: Final = (
    "Link, Location, ETag, Retry-After, X-Request-ID, X-Paging-Limit, X-Paging-NextKey, X-Paging-Count, "
    "X-Paging-Reverse-Order, X-Paging-Timerange, Accept-Ranges, Content-Range"
)
"""By name, because `*` does not count for requests with credentials."""
_ALLOWED_HEADERS: Final = (
    "Authorization, Content-Type, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, If-Range, Range, "
    "X-Request-ID, Idempotency-Key, Last-Event-ID, "
    "Content-MD5, X-Amz-Checksum-CRC32, X-Amz-Checksum-SHA1, X-Amz-Checksum-SHA256"
)
"""By name, as `*` does not cover `Authorization`; the last line is for uploads that are to be checked (INT-2)."""
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
