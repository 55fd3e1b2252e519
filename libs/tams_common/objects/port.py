"""The object port: one storage backend that clients reach by URL (architecture 6)."""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol, runtime_checkable

import msgspec

from tams_common.ids import StorageId


class Backend(msgspec.Struct, frozen=True, omit_defaults=True):
    """What `/service/storage-backends` says of a backend (STB-1 to STB-4)."""

    id: StorageId
    store_type: str
    provider: str
    store_product: str
    label: str | None = None
    region: str | None = None
    availability_zone: str | None = None
    default_storage: bool = False
    tags: dict[str, str | list[str]] = {}


class ObjectInfo(msgspec.Struct, frozen=True):
    """What a backend knows of stored bytes: size in bytes, `etag` without quotes, `modified` in ns since the epoch."""

    size: int
    etag: str
    content_type: str
    modified: int
    checksums: dict[str, str] = {}


class Signer(Protocol):
    """Presigns URLs for one request: base URL and signing time are fixed, so that equal pages are equal bytes."""

    def get_url(self, key: str) -> str:
        """A URL that reads the object, valid for at least `min_presigned_url_timeout` (URL-2)."""
        ...

    def put_url(self, key: str, content_type: str) -> str:
        """A URL that writes the object with exactly `content_type` (STO-8, STO-14); until it expires, a second upload
        replaces the first."""
        ...


class Objects(Protocol):
    """A storage backend. Methods raise `Unavailable` when it is down."""

    backend: Backend

    async def open(self) -> None:
        """Gets ready; raises `StartRefused` when the place cannot be used."""
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...

    def signer(self, base_url: str) -> Signer:
        """A signer for URLs under `base_url`, the address under which the client reaches the store (used by same-origin
        backends only)."""
        ...

    async def head(self, key: str) -> ObjectInfo | None:
        """What is stored under `key`, or None."""
        ...

    async def delete(self, key: str) -> None:
        """Removes the bytes; a key that does not exist is no error."""
        ...


class ByteRange(msgspec.Struct, frozen=True):
    """A slice of an object as HTTP asks for it: `first` to `last` inclusive, or the last `suffix` bytes."""

    first: int | None = None
    last: int | None = None
    suffix: int | None = None


class Download(msgspec.Struct, frozen=True):
    """An open object: `body` yields bytes `first` to `last` (inclusive) of `info.size`."""

    info: ObjectInfo
    first: int
    last: int
    body: AsyncIterator[bytes]


@runtime_checkable
class ServesBytes(Protocol):
    """A backend whose URLs point back at the store itself: it checks their signatures and moves the bytes."""

    def verify(self, method: str, key: str, *, query: str) -> str | None:
        """Checks the signature in the raw `query`; returns the content type signed for (PUT), raises `Forbidden`."""
        ...

    async def put(self, key: str, body: AsyncIterator[bytes], *, headers: Mapping[str, str]) -> ObjectInfo:
        """Stores a body as it streams in, whole or not at all; checks `Content-Length`, `Content-MD5` and
        `x-amz-checksum-*` of `headers` (lower-case names); raises `InvalidInput` or `TooLarge`."""
        ...

    async def download(self, key: str, wanted: ByteRange | None) -> Download:
        """Opens an object; raises `NotFound` or `RangeNotSatisfiable`."""
        ...
