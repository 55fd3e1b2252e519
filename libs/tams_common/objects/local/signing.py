"""Signed same-origin URLs: `/media/{key}?expires=…&signature=…`, for one method, key and (PUT) content type."""

import hashlib
import hmac
import re
from collections.abc import Callable
from urllib.parse import parse_qsl, quote

from tams_common.clock import Clock
from tams_common.errors import Forbidden
from tams_common.objects.validity import valid_for, window_start
from tams_common.timerange import NS

_is_plain = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch


class Mac:
    """Keyed BLAKE2b over all that a URL permits, 128 bits in hexadecimal.

    What many URLs have in common is taken in once, and each key by a copy: a third of a MAC made from the start.
    """

    __slots__ = ("_common",)

    def __init__(self, secret: bytes, method: str, *, expires: str, content_type: str = "") -> None:
        text = f"{method}\n{expires}\n{content_type}\n"
        self._common = hashlib.blake2b(text.encode(), key=secret, digest_size=16)

    def of(self, key: str) -> str:
        """The signature for `key`."""
        mac = self._common.copy()
        mac.update(key.encode())
        return mac.hexdigest()


class LocalSigner:
    """Signs for one request: one base URL, one moment of expiry (seconds since the epoch)."""

    def __init__(self, secret: bytes, base_url: str, *, expires: int) -> None:
        self._secret = secret
        self._prefix = f"{base_url}/media/"
        self._expires = str(expires)
        self._reading = f"?expires={expires}&signature="
        self._sign = Mac(secret, "GET", expires=self._expires).of
        self._writing: tuple[str, str, Callable[[str], str]] | None = None

    def get_url(self, key: str) -> str:
        """A URL for GET and HEAD."""
        return f"{self._start(key)}{self._reading}{self._sign(key)}"

    def put_url(self, key: str, content_type: str) -> str:
        """A URL for PUT with exactly `content_type`."""
        if self._writing is None or self._writing[0] != content_type:
            mac = Mac(self._secret, "PUT", expires=self._expires, content_type=content_type)
            ending = f"?expires={self._expires}&content-type={quote(content_type, safe='')}&signature="
            self._writing = (content_type, ending, mac.of)
        _, query, sign = self._writing
        return f"{self._start(key)}{query}{sign(key)}"

    def _start(self, key: str) -> str:
        return self._prefix + (key if _is_plain(key) else quote(key, safe=""))


def expiry(clock: Clock, lifetime: int) -> int:
    """When URLs signed now end, in seconds since the epoch: after `lifetime` seconds at least."""
    return window_start(clock) + valid_for(lifetime)


def verify(secret: bytes, now: int, *, method: str, key: str, query: str) -> str | None:
    """Checks a URL's query at `now` (ns); returns the content type of a PUT, raises `Forbidden` (URL-9)."""
    given = dict(parse_qsl(query, keep_blank_values=True))
    expires, content_type = given.get("expires", ""), given.get("content-type", "")
    signed_for = "PUT" if method == "PUT" else "GET"
    expected = Mac(secret, signed_for, expires=expires, content_type=content_type).of(key)
    if not hmac.compare_digest(expected.encode(), given.get("signature", "").encode()):
        raise Forbidden(f"the signature of the URL does not permit {method}; ask the store for a fresh URL")
    if int(expires) < now // NS:
        raise Forbidden("the URL has expired; ask the store for a fresh one")
    return content_type if signed_for == "PUT" else None
