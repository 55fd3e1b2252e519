"""Content encoding: JSON travels as gzip to clients that take it (RFC 9110, section 12.5.3)."""

import asyncio
import gzip
import re
from collections.abc import Mapping
from typing import Final

from tams_common.http.message import Request, Response

SMALLEST: Final = 1024
"""Bytes below which gzip saves no packet."""
_LARGE: Final = 64 * 1024
"""Bytes from which on compressing would hold up the event loop; zlib lets other threads run meanwhile."""
_LEVEL: Final = 1
"""Listings shrink to a seventh with it, and to a ninth at many times the cost."""
_COMPRESSIBLE: Final = ("application/json", "application/problem+json", "text/", "application/javascript")
_SUFFIX: Final = "-gzip"
_ENCODED_TAG: Final = re.compile(rf'{_SUFFIX}"')
_CONDITIONS: Final = ("if-match", "if-none-match")
_REFUSED: Final = re.compile(r"q=0(\.0{0,3})?")


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client that sends this header takes gzip."""
    for item in accept_encoding.lower().split(","):
        coding, _, weight = item.partition(";")
        if coding.strip() in ("gzip", "*"):
            return _REFUSED.fullmatch(weight.strip()) is None
    return False


def with_plain_tags(headers: Mapping[str, str]) -> Mapping[str, str]:
    """`headers` with conditions as services know them: the tags of encoded answers are made plain again."""
    asked = {name: value for name in _CONDITIONS if _SUFFIX in (value := headers.get(name, ""))}
    if not asked:
        return headers
    plain = {name: _ENCODED_TAG.sub('"', value) for name, value in asked.items()}
    return {name.lower(): value for name, value in headers.items()} | plain


async def encode(request: Request, response: Response) -> None:
    """Compresses what is worth it. An encoded answer has a tag of its own, as its bytes are others (section 8.8.3)."""
    headers = response.headers
    if not headers.get("content-type", "").startswith(_COMPRESSIBLE) or "content-encoding" in headers:
        return
    headers["vary"] = "Accept-Encoding"
    if _length(response) < SMALLEST or not takes_gzip(request.headers.get("accept-encoding", "")):
        return
    body, tag = response.body, headers.get("etag")
    headers.pop("content-length", None)
    headers["content-encoding"] = "gzip"
    if tag is not None:
        headers["etag"] = f'{tag[:-1]}{_SUFFIX}"'
    if isinstance(body, bytes) and body:
        response.body = compress(body) if len(body) < _LARGE else await asyncio.to_thread(compress, body)


def _length(response: Response) -> int:
    """Bytes of the body, or of the one that a HEAD leaves out; 0 for a stream, which goes out as it comes in."""
    if not isinstance(response.body, bytes):
        return 0
    announced = response.headers.get("content-length", "")
    return len(response.body) or (int(announced) if announced.isdecimal() else 0)


def compress(body: bytes) -> bytes:
    """`body` as gzip, the same bytes whenever it is asked for."""
    return gzip.compress(body, _LEVEL, mtime=0)
