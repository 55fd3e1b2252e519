"""Entity tags: a hash of the body, and the conditions of requests on it (RFC 9110, section 13)."""

import re
from hashlib import blake2b
from typing import Final

from tams_common.errors import PreconditionFailed
from tams_common.http.message import Request, Response

_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')
_KEPT: Final = frozenset({"etag", "link", "cache-control", "vary", "date", "expires", "content-location"})
"""What a 304 repeats of the answer that it stands for, beside paging headers, which are part of a list's state."""


def etag_of(body: bytes) -> str:
    """The entity tag of a representation with this very body."""
    return f'"{blake2b(body, digest_size=12).hexdigest()}"'


def names(header: str, etag: str) -> bool:
    """Whether a list of tags, or `*`, covers `etag`; a tag that was weakened on its way still counts."""
    return header.strip() == "*" or etag in _TAG.findall(header)


def check_if_match(request: Request, current: bytes | None) -> None:
    """Raises `PreconditionFailed` unless the request's `If-Match`, if it has one, covers the `current` body.

    `current` is what GET without query shows, None when there is no such resource.
    """
    asked = request.headers.get("if-match")
    if asked is None or (current is not None and names(asked, etag_of(current))):
        return
    found = "there is no such resource" if current is None else f"the resource has the entity tag {etag_of(current)}"
    raise PreconditionFailed(f"If-Match is {asked[:100]}, but {found}", field="If-Match")


def conditional(request: Request, response: Response) -> Response:
    """A GET's or HEAD's `response` with its tag, or 304 where `If-None-Match` covers it.

    Streamed bodies and answers that have a tag already stay as they are.
    """
    body, headers = response.body, response.headers
    if response.status != 200 or not isinstance(body, bytes) or "etag" in headers:
        return response
    headers["etag"] = etag = etag_of(body)
    asked = request.headers.get("if-none-match")
    if asked is None or not names(asked, etag):
        return response
    return Response(304, b"", {name: value for name, value in headers.items() if _stays(name)})


def _stays(name: str) -> bool:
    return name in _KEPT or name.startswith("x-paging-")
