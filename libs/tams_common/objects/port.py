"""The object port: one storage backend that clients reach by URL (architecture 6)."""

from collections.abc import AsyncIterator, Mapping
from typing import Final, Protocol, runtime_checkable

import msgspec

from tams_common.errors import Unavailable
from tams_common.ids import StorageId
from tams_common.timerange import NS


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


class Offered(msgspec.Struct, frozen=True):
    """Which URLs a backend hands out for one purpose: presigned ones, plain ones, or both; one of them at least.

    A plain URL works for whom the backend lets in by itself: everybody, or who has credentials of its own (URL-7).
    """

    presigned: bool = True
    plain: bool = False


class ObjectInfo(msgspec.Struct, frozen=True):
    """What a backend knows of stored bytes: size in bytes, `etag` without quotes, `modified` in ns since the epoch."""

    size: int
    etag: str
    content_type: str
    modified: int
    checksums: dict[str, str] = {}


class Signer(Protocol):
    """Presigns URLs for one request: base URL and signing time are fixed, so that equal pages are equal bytes.

    Of a backend that offers no presigned URLs there is none to be had: ask `reading` and `writing` first.
    """

    def get_url(self, key: str) -> str:
        """A URL that reads the object, valid for at least `min_presigned_url_timeout` (URL-2)."""
        ...

    def put_url(self, key: str, content_type: str) -> str:
        """A URL that writes the object with exactly `content_type` (STO-8, STO-14); until it expires, a second upload
        replaces the first."""
        ...


class Objects(Protocol):
    """A storage backend. Methods raise `Unavailable` when it is down.

    A key is any text of up to 800 bytes that HTTP leaves as it is: no `.`, `..` or nothing between slashes. `reading`
    and `writing` say which URLs it has for GET (SEG-15) and for PUT (STO-11).
    """

    backend: Backend
    reading: Offered
    writing: Offered

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

    def plain_url(self, key: str) -> str:
        """The URL of the object without a signature (URL-4); raises `Forbidden` where the backend offers none."""
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

    async def tidy(self) -> None:
        """Removes uploads that were cut off longer than `STALLED` ago; to be called now and then."""
        ...


_MIB: Final = 1024 * 1024
_PART: Final = 16 * _MIB
_MOST_PARTS: Final = 10_000


class Upload(msgspec.Struct, frozen=True):
    """A write in parts that is on its way: all that is needed to go on with it after a crash.

    `size` is the object's length in bytes, `id` what the backend calls this upload.
    """

    key: str
    content_type: str
    size: int
    id: str

    @property
    def part_size(self) -> int:
        """Bytes of every part but the last: 16 MiB, more where the object would have more than 10,000 parts."""
        return max(_PART, -(-self.size // _MOST_PARTS // _MIB) * _MIB)


@runtime_checkable
class Copies(Protocol):
    """A backend whose bytes the store itself may move: what copying an instance to another backend needs (INS-1).

    A copy is `head` and `read` on one side, and on the other `begin`, then `append` for each part in order, then
    `complete`. Whoever keeps the `Upload` goes on after a crash where `arrived` says. Every part is verified by its MD5
    on its way in, `read` insists on one version of the source: a copy that is complete and of equal size is equal.

    Once an upload of several parts is complete, nothing that is done with it changes what is stored any more. One of a
    single part may be written again even then: nobody but who has begun it should go on with it.
    """

    def read(self, key: str, *, first: int, etag: str) -> AsyncIterator[bytes]:
        """The bytes from `first` on, as they come in.

        Raises `NotFound`, `PreconditionFailed` when the object is no longer the one with `etag`, and `Unavailable` also
        in mid-stream.
        """
        ...

    async def begin(self, key: str, *, content_type: str, size: int) -> Upload:
        """Starts a write of `size` bytes, not seen under `key` before it is complete, or before its only part comes."""
        ...

    async def arrived(self, upload: Upload) -> int:
        """How many bytes are there for good: the next part begins there.

        Raises `NotFound` when the backend has given the upload up.
        """
        ...

    async def append(self, upload: Upload, data: bytes, *, at: int) -> None:
        """Writes the part that begins at byte `at`: `part_size` bytes, the last one what is left. May be repeated."""
        ...

    async def complete(self, upload: Upload) -> ObjectInfo:
        """Makes the object seen, whole and durable; may be repeated. Raises `InvalidInput` unless exactly `size` bytes
        have arrived, and `NotFound` when the backend has given the upload up."""
        ...

    async def abort(self, upload: Upload) -> None:
        """Gives the upload up and frees its parts; one that does not exist is no error. What is seen under the key
        stays: `delete` removes it."""
        ...


class Damaged(Unavailable):
    """Stored bytes that cannot be read any more; `file` is where they lie."""

    def __init__(self, detail: str, *, file: str) -> None:
        super().__init__(detail)
        self.file = file


class Entry(msgspec.Struct, frozen=True):
    """A stored object as a listing has it: size in bytes, `modified` in ns since the epoch.

    Of one that is damaged neither key nor size can be told, only the `file` (`Damaged`).
    """

    key: str
    size: int
    modified: int
    file: str = ""


STALLED: Final = 24 * 3600 * NS
"""Nanoseconds after which an upload that nobody goes on with is taken for one that was cut off."""


class Unfinished(msgspec.Struct, frozen=True):
    """An upload that is not complete: `id` is what the backend calls it, of a copy that is `Upload.id`.

    `modified` (ns) is its latest write, or its beginning where the backend only tells that; `size` is in bytes. `key`
    and `size` may be unknown (empty, 0); `file` is where it lies, if that is a file.
    """

    id: str
    modified: int
    key: str = ""
    size: int = 0
    file: str = ""


class Owner(msgspec.Struct, frozen=True):
    """The mark that a store leaves in a backend: the store's own id, and the id by which it declares the backend.

    Two stores, or two backends of one, that share a place would each take the other's bytes for orphans.
    """

    store: str
    backend: str


@runtime_checkable
class Lists(Protocol):
    """A backend that can tell all it holds and whose it is, as a check of the index against the bytes needs it."""

    def entries(self) -> AsyncIterator[Entry]:
        """Every object that is complete, in no promised order; those that come or go meanwhile may be missing."""
        ...

    def unfinished(self) -> AsyncIterator[Unfinished]:
        """Every upload that is not complete."""
        ...

    async def abandon(self, upload: Unfinished) -> None:
        """Gives such an upload up and frees its bytes; one that does not exist is no error."""
        ...

    async def owner(self) -> Owner | None:
        """Whose mark it bears."""
        ...

    async def mark(self, owner: Owner) -> Owner:
        """Leaves the mark of `owner` unless there is one; returns the one that is there then."""
        ...


class Condition(msgspec.Struct, frozen=True):
    """What an operator is told of a backend; every text is empty where it does not apply.

    `state`: `ready`, `absent`, `created`, or why it cannot be used. `cors`: `ready`, `applied`, `absent` or `differs`.
    `owner` is whose mark it bears, None without one.
    """

    place: str
    state: str
    cors: str = ""
    versions: str = ""
    owner: Owner | None = None


@runtime_checkable
class Prepares(Protocol):
    """A backend that has to be made ready once by an operator: `tams storage init`."""

    async def condition(self) -> Condition:
        """How it stands; also an outage is an answer."""
        ...

    async def prepare(self, *, create: bool) -> Condition:
        """Applies what the configuration says of it (cross-origin rules), with `create` also makes what is absent.

        What is so already stays untouched.
        """
        ...
