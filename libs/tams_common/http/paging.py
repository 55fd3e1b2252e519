"""Pages of a list: `limit`, the opaque `page` key and the headers that lead on (PAG-1 to PAG-19)."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final, TypeVar
from urllib.parse import quote
from zlib import crc32

import msgspec

from tams_common.errors import InvalidInput
from tams_common.http.message import Request
from tams_common.http.query import Params, sealed
from tams_common.timerange import TimeRange

P = TypeVar("P")

_FREE: Final = frozenset({"page", "limit", "access_token"})
"""What may change from page to page; a key belongs to the path and all other parameters."""
_SAFE: Final = "/?%:@!$&()*+=~"
"""What a `Link` may hold unquoted: of the characters of paths and queries all but `,` `;` and the apostrophe."""

_encode: Final = msgspec.msgpack.Encoder().encode


class Paging:
    """Which page of a list `request` asks for, and the headers that describe the answer.

    `limit` is the requested number of rows, cut to `maximum` (PAG-3), or `default`. Raises `InvalidInput` for a `limit`
    below one (PAG-5).
    """

    __slots__ = ("_params", "_request", "limit")

    def __init__(self, request: Request, params: Params, *, default: int, maximum: int) -> None:
        asked = params.integer("limit")
        if asked is not None and asked < 1:
            raise InvalidInput(f"query parameter limit: expected 1 or more, found {asked}", field="limit")
        self.limit = default if asked is None else min(asked, maximum)
        self._request = request
        self._params = params

    def position(self, kind: type[P]) -> P | None:
        """Where the page begins, as `headers` was told with the page before; None on the first one (PAG-9).

        `kind` is the position's type (a tuple type or Struct). Raises `InvalidInput` for a key that is not ours or was
        made for another query (PAG-18).
        """
        text = self._params.text("page")
        if text is None:
            return None
        try:
            data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            if int.from_bytes(data[:4]) == crc32(data[4:], self._fingerprint()):
                return msgspec.msgpack.decode(data[4:], type=kind)
        except (binascii.Error, ValueError, msgspec.MsgspecError):
            pass
        raise InvalidInput("query parameter page: this key does not belong to this query", field="page")

    def headers(
        self,
        following: object,
        *,
        count: int | None = None,
        reverse: bool | None = None,
        timerange: TimeRange | None = None,
    ) -> dict[str, str]:
        """The response headers (PAG-4 to PAG-14). `following` is where the next page begins, None on the last one.

        Lists of profiles and objects have only the first three headers and leave out the rest.
        """
        headers = {"x-paging-limit": str(self.limit)}
        if following is not None:
            key = self._key(following)
            headers["x-paging-nextkey"] = key
            headers["link"] = f'<{self._url(key)}>; rel="next"'
        if count is not None:
            headers["x-paging-count"] = str(count)
        if reverse is not None:
            headers["x-paging-reverse-order"] = "true" if reverse else "false"
        if timerange is not None:
            headers["x-paging-timerange"] = str(timerange)
        return headers

    def _key(self, position: object) -> str:
        data = _encode(position)
        check = crc32(data, self._fingerprint()).to_bytes(4)
        return urlsafe_b64encode(check + data).decode().rstrip("=")

    def _fingerprint(self) -> int:
        kept = sorted([pair for pair in self._params.pairs if pair[0] not in _FREE])
        return crc32(repr((self._request.path, kept)).encode("utf-8", "surrogateescape"))

    def _url(self, key: str) -> str:
        """The absolute address of the next page; the client's other parameters keep their order (PAG-8, T-37)."""
        kept = [part for part, pair in zip(self._params.raw, self._params.pairs, strict=True) if pair[0] != "page"]
        written, mark = sealed(kept)
        target = "&".join([*written, f"page={key}{mark}"])
        return f"{self._request.context.base_url}{quote(f'{self._request.path}?{target}', safe=_SAFE)}"
