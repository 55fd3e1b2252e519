"""Presigned URLs of S3: AWS Signature Version 4 in the query, for one bucket, one moment and many keys.

All that the URLs of a moment have in common is hashed once; a URL costs one SHA-256 and one HMAC of its own. Signed are
only `host` and, for an upload, `content-type`: what checksum headers a client adds is its own affair (INT-2, T-75).
"""

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

LONGEST: Final = 7 * 24 * 3600
"""Seconds for which a URL can be signed at most."""
_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_INNER: Final = bytes(value ^ 0x36 for value in range(256))
_OUTER: Final = bytes(value ^ 0x5C for value in range(256))
_USUAL_PORTS: Final = {"http": 80, "https": 443}


class Keys(msgspec.Struct, frozen=True):
    """An access key and its secret; `session_token` belongs to temporary ones."""

    access_key: str
    secret_key: str
    session_token: str = ""


class Address(msgspec.Struct, frozen=True):
    """Where objects are for clients: `root` is scheme and host, `path` what stands before each key, as in the URL."""

    root: str
    host: str
    path: str

    @property
    def start(self) -> str:
        """What stands before each key."""
        return self.root + self.path


def address(endpoint: str, bucket: str, *, prefix: str = "", virtual: bool) -> Address:
    """The bucket at `endpoint`, which has no slash at its end: as part of the host's name, or of the path."""
    parts = urlsplit(endpoint)
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    before = f"{bucket}." if virtual else ""
    # Signed is the name in lower case and without a usual port: what HTTP clients send as their Host.
    port = "" if parts.port in (None, _USUAL_PORTS[parts.scheme]) else f":{parts.port}"
    path = f"{parts.path}/" if virtual else f"{parts.path}/{bucket}/"
    return Address(f"{parts.scheme}://{before}{parts.netloc}", f"{before}{name}{port}", path + prefix)


def quoted(key: str) -> str:
    """A key as the path of a URL; slashes stay."""
    return quote(key, safe="/~")


class Moment(msgspec.Struct, frozen=True):
    """When URLs are signed, in seconds since the epoch, for how many seconds, and for which region."""

    signed_at: int
    expires: int
    region: str


class DayKeys:
    """Signing keys: each is good for one day, region and secret, and is derived once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], bytes] = {}

    def of(self, secret_key: str, day: str, *, region: str) -> bytes:
        """The signing key for `day` (YYYYMMDD)."""
        name = (secret_key, day, region)
        if name not in self._known:
            self._known.clear()
            self._known[name] = signing_key(secret_key, day, region=region)
        return self._known[name]


def signing_key(secret_key: str, day: str, *, region: str) -> bytes:
    """Derives the signing key for S3 from the secret."""
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


class Presigner:
    """Signs the URLs of a bucket's objects at one moment."""

    def __init__(self, where: Address, keys: Keys, *, moment: Moment, day_keys: DayKeys) -> None:
        at = datetime.fromtimestamp(moment.signed_at, UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{at[:8]}/{moment.region}/s3/aws4_request"
        self._where = where
        self._first = (
            f"X-Amz-Algorithm={_ALGORITHM}&X-Amz-Credential={_encoded(f'{keys.access_key}/{scope}')}"
            f"&X-Amz-Date={at}&X-Amz-Expires={moment.expires}"
        )
        self._token = f"&X-Amz-Security-Token={_encoded(keys.session_token)}" if keys.session_token else ""
        signing = day_keys.of(keys.secret_key, at[:8], region=moment.region)
        # HMAC by its two hashes, both begun with what all URLs share: a third of what copies of an `hmac` object take.
        block = signing.ljust(hashlib.sha256().block_size, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER) + f"{_ALGORITHM}\n{at}\n{scope}\n".encode())
        self._outer = hashlib.sha256(block.translate(_OUTER))
        self._upload: tuple[str, Callable[[str], str]] | None = None
        self.get_url: Callable[[str], str] = self._signing("GET", f"host:{where.host}\n\nhost", signed="host")

    def put_url(self, key: str, content_type: str) -> str:
        """A URL that writes `key` with exactly `content_type`."""
        if self._upload is None or self._upload[0] != content_type:
            lines = f"content-type:{content_type}\nhost:{self._where.host}\n\ncontent-type;host"
            self._upload = (content_type, self._signing("PUT", lines, signed="content-type%3Bhost"))
        return self._upload[1](key)

    def _signing(self, method: str, headers: str, *, signed: str) -> Callable[[str], str]:
        """What signs for `method`: `headers` are the canonical ones with their names, which the URL has as `signed`."""
        path, inner, outer, sha256 = self._where.path, self._inner, self._outer, hashlib.sha256
        opening = f"{method}\n{path}"
        query = f"{self._first}{self._token}&X-Amz-SignedHeaders={signed}"
        closing = f"\n{query}\n{headers}\nUNSIGNED-PAYLOAD".encode()
        before = self._where.start
        after = f"?{self._first}&X-Amz-SignedHeaders={signed}{self._token}&X-Amz-Signature="

        def url(key: str) -> str:
            name = quote(key, safe="/~")
            message, mac = inner.copy(), outer.copy()
            message.update(sha256(f"{opening}{name}".encode() + closing).hexdigest().encode())
            mac.update(message.digest())
            return f"{before}{name}{after}{mac.hexdigest()}"

        return url


def _encoded(text: str) -> str:
    return quote(text, safe="~")
