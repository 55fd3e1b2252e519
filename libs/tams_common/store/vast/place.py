"""Where the tables lie, and who we are there."""

from typing import Final
from urllib.parse import urlsplit

import msgspec

from tams_common.errors import StartRefused

_SCHEMES: Final = {"vast": "http", "vast+https": "https"}
_EXPECTED: Final = "expected vast://HOST:PORT/BUCKET/SCHEMA, or vast+https:// for TLS"


class Place(msgspec.Struct, frozen=True):
    """One schema of one bucket behind one endpoint (`http://host:port`), with the S3 key of a VAST user."""

    endpoint: str
    bucket: str
    schema: str
    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        return f"Place({self.endpoint}/{self.bucket}/{self.schema})"


def place_of(url: str, *, access_key: str, secret_key: str) -> Place:
    """The place that `TAMS_STORE_URL` names; StartRefused says what is wrong with it."""
    try:
        parts = urlsplit(url)
        scheme, host, port = _SCHEMES.get(parts.scheme), parts.hostname, parts.port
    except ValueError:
        raise StartRefused(f"configuration key TAMS_STORE_URL: {_EXPECTED}") from None
    bucket, _, schema = parts.path.strip("/").partition("/")
    if parts.username or parts.password:
        raise StartRefused("configuration key TAMS_STORE_URL: keys stand in TAMS_VAST_ACCESS_KEY, TAMS_VAST_SECRET_KEY")
    if scheme is None or not host or not bucket or not schema or parts.query or parts.fragment:
        raise StartRefused(f"configuration key TAMS_STORE_URL: {url!r}: {_EXPECTED}")
    if not access_key or not secret_key:
        raise StartRefused("configuration keys TAMS_VAST_ACCESS_KEY and TAMS_VAST_SECRET_KEY are not set")
    name = f"[{host}]" if ":" in host else host
    endpoint = f"{scheme}://{name}" if port is None else f"{scheme}://{name}:{port}"
    return Place(endpoint, bucket, schema, access_key, secret_key)
