"""The object port on a local directory."""

import asyncio
import itertools
import os
import secrets
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

from tams_common.clock import Clock, system_clock
from tams_common.errors import Forbidden, InvalidInput, NotFound, RangeNotSatisfiable, StartRefused, TooLarge
from tams_common.ids import StorageId
from tams_common.objects.local import copies, files, listing, signing
from tams_common.objects.local.checksums import Checksums
from tams_common.objects.port import (
    STALLED,
    Backend,
    ByteRange,
    Condition,
    Download,
    Entry,
    ObjectInfo,
    Offered,
    Owner,
    Unfinished,
    Upload,
)

T = TypeVar("T")

CHUNK: Final = 1024 * 1024
"""Bytes per read and write: each is one hop to a thread."""
BATCH: Final = 200
"""Files looked at in one hop to a thread."""
SIZE_LIMIT: Final = 5 * 1024**3
_SECRET: Final = 32
"""Bytes of the signing secret."""
_STORAGE_NAMESPACE: Final = uuid.UUID("5c4d9b0e-6d5b-5a0a-9f25-0f0c5e4f1b7a")
ONLY: Final = Backend(
    id=StorageId(str(uuid.uuid5(_STORAGE_NAMESPACE, "local"))),
    store_type="http_object_store",
    provider="local",
    store_product="tams-local",
    label="local",
    default_storage=True,
)
"""What a directory is where it is all there is."""


class LocalObjects:
    """Media files under `directory`; None is a private temporary directory, removed at close.

    `url_lifetime` is `min_presigned_url_timeout` in seconds, `size_limit` the largest object in bytes, `backend` what
    clients are told of it.
    """

    reading = writing = Offered()

    def __init__(
        self,
        directory: Path | None,
        *,
        url_lifetime: int,
        size_limit: int = SIZE_LIMIT,
        clock: Clock = system_clock,
        backend: Backend = ONLY,
    ) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="tams-media-") if directory is None else None
        self.directory = Path(self._temporary.name) if self._temporary else Path(directory or "")
        self._lifetime = url_lifetime
        self._size_limit = size_limit
        self._clock = clock
        self._secret = b""
        self.backend = backend

    async def open(self) -> None:
        """Makes the directory and its signing secret."""
        await asyncio.to_thread(self._open)

    def _open(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._secret = files.settle(self.directory / "secret", secrets.token_bytes(_SECRET))
        except OSError as error:
            raise StartRefused(f"the media directory {self.directory} cannot be used: {error.strerror}") from error
        if len(self._secret) != _SECRET:
            # An empty key would sign, too, but so that everybody can.
            raise StartRefused(
                f"the signing secret {self.directory / 'secret'} is damaged: remove it, URLs from before end with it"
            )

    async def close(self) -> None:
        """Removes a private directory."""
        if self._temporary is not None:
            await asyncio.to_thread(self._temporary.cleanup)

    def signer(self, base_url: str) -> signing.LocalSigner:
        """Signs URLs under `base_url` for one request."""
        return signing.LocalSigner(self._secret, base_url, expires=signing.expiry(self._clock, self._lifetime))

    def plain_url(self, key: str) -> str:
        """There is none: raises `Forbidden`."""
        raise Forbidden("objects in a directory are reached by signed URLs only")

    def verify(self, method: str, key: str, *, query: str) -> str | None:
        """Checks a signed URL; returns the content type of a PUT, raises `Forbidden`."""
        return signing.verify(self._secret, self._clock(), method=method, key=key, query=query)

    async def head(self, key: str) -> ObjectInfo | None:
        """Size, type and checksums of what is stored, or None."""
        return await asyncio.to_thread(self._head, key)

    def _head(self, key: str) -> ObjectInfo | None:
        opened = files.open_file(files.path_of(self.directory, key))
        if opened is None:
            return None
        os.close(opened.descriptor)
        return opened.info

    async def delete(self, key: str) -> None:
        """Removes the bytes, if there are any."""
        await asyncio.to_thread(self._delete, key)

    def _delete(self, key: str) -> None:
        with files.disk():
            files.path_of(self.directory, key).unlink(missing_ok=True)

    async def put(self, key: str, body: AsyncIterator[bytes], *, headers: Mapping[str, str]) -> ObjectInfo:
        """Streams an upload into place: whole or not at all, verified against the length and checksums in `headers`.

        Raises `TooLarge`, `InvalidInput` (a checksum or the length does not hold) or `Unavailable` (disk full).
        """
        checksums = Checksums(headers)
        announced = _announced_length(headers, self._size_limit)
        part = files.Part(files.path_of(self.directory, key))
        try:
            size = await self._receive(part, body, checksums=checksums)
            if announced is not None and size != announced:
                raise InvalidInput(f"content-length is {announced}, but {size} bytes came", field="content-length")
            checksums.verify()
            kind = headers.get("content-type", "application/octet-stream")
            trailer = files.Trailer(etag=checksums.etag, content_type=kind, checksums=checksums.kept, key=key)
            await asyncio.to_thread(part.finish, trailer)
        except BaseException:
            await asyncio.to_thread(part.discard)
            raise
        return ObjectInfo(size, checksums.etag, kind, self._clock(), checksums.kept)

    async def _receive(self, part: files.Part, body: AsyncIterator[bytes], *, checksums: Checksums) -> int:
        def write(data: bytes) -> None:
            checksums.update(data)
            part.write(data)

        size, pending, waiting = 0, list[bytes](), 0
        async for data in body:
            size += len(data)
            if size > self._size_limit:
                raise TooLarge(f"an object is at most {self._size_limit} bytes here")
            pending.append(data)
            waiting += len(data)
            if waiting >= CHUNK:
                await asyncio.to_thread(write, b"".join(pending))
                pending, waiting = [], 0
        if pending:
            await asyncio.to_thread(write, b"".join(pending))
        return size

    async def download(self, key: str, wanted: ByteRange | None) -> Download:
        """Opens an object for reading; raises `NotFound` or `RangeNotSatisfiable`."""
        opened = await asyncio.to_thread(files.open_file, files.path_of(self.directory, key))
        if opened is None:
            raise NotFound("no bytes have been uploaded for this object")
        try:
            first, last = slice_of(opened.info.size, wanted)
        except RangeNotSatisfiable:
            os.close(opened.descriptor)
            raise
        return Download(opened.info, first, last, FileSlice(opened.descriptor, first, last=last))

    async def read(self, key: str, *, first: int, etag: str) -> AsyncIterator[bytes]:
        """Streams one version of an object from byte `first` on."""
        opened = await asyncio.to_thread(copies.open_version, self.directory, key, etag=etag)
        async for data in FileSlice(opened.descriptor, first, last=opened.info.size - 1):
            yield data

    async def begin(self, key: str, *, content_type: str, size: int) -> Upload:
        """Starts a write of `size` bytes."""
        return await asyncio.to_thread(copies.begin, self.directory, key, content_type=content_type, size=size)

    async def arrived(self, upload: Upload) -> int:
        """How many bytes are there for good."""
        return await asyncio.to_thread(copies.arrived, self.directory, upload)

    async def append(self, upload: Upload, data: bytes, *, at: int) -> None:
        """Writes a part."""
        await asyncio.to_thread(copies.append, self.directory, upload, data=data, at=at)

    async def complete(self, upload: Upload) -> ObjectInfo:
        """Makes the object seen."""
        return await asyncio.to_thread(copies.complete, self.directory, upload)

    async def abort(self, upload: Upload) -> None:
        """Gives an upload up."""
        await asyncio.to_thread(copies.abort, self.directory, upload)

    def entries(self) -> AsyncIterator[Entry]:
        """Every object; of files from before their keys were kept, the key is empty."""
        return _in_batches(listing.entries(self.directory))

    def unfinished(self) -> AsyncIterator[Unfinished]:
        """Every upload that is not complete."""
        return _in_batches(listing.unfinished(self.directory))

    async def abandon(self, upload: Unfinished) -> None:
        """Removes the file of an upload."""
        await asyncio.to_thread(listing.abandon, self.directory, upload)

    async def tidy(self) -> None:
        """Removes uploads that were cut off long ago."""
        await asyncio.to_thread(listing.tidy, self.directory, before=self._clock() - STALLED)

    async def owner(self) -> Owner | None:
        """Whose mark the directory bears."""
        return await asyncio.to_thread(listing.owner, self.directory)

    async def mark(self, owner: Owner) -> Owner:
        """Leaves a mark unless there is one."""
        return await asyncio.to_thread(listing.mark, self.directory, owner)

    async def condition(self) -> Condition:
        """Whether the directory is there and can be written to."""
        return await asyncio.to_thread(self._condition)

    async def prepare(self, *, create: bool) -> Condition:
        """Nothing has to be prepared: the directory is made at the first start."""
        return await self.condition()

    def _condition(self) -> Condition:
        place = f"directory {self.directory}"
        if not self.directory.is_dir():
            return Condition(place, "absent")
        state = "ready" if os.access(self.directory, os.W_OK | os.X_OK) else "cannot be written to"
        return Condition(place, state, owner=listing.owner(self.directory))


class FileSlice:
    """Bytes `first` to `last` of an open file, read as they are wanted; closes the file at the end or when dropped."""

    def __init__(self, descriptor: int, first: int, *, last: int) -> None:
        self._descriptor = descriptor
        self._next = first
        self._last = last

    def __aiter__(self) -> "FileSlice":
        return self

    async def __anext__(self) -> bytes:
        if self._next > self._last:
            raise StopAsyncIteration
        size = min(CHUNK, self._last - self._next + 1)
        data = await asyncio.to_thread(os.pread, self._descriptor, size, self._next)
        if not data:
            raise StopAsyncIteration
        self._next += len(data)
        return data

    def __del__(self) -> None:
        os.close(self._descriptor)


def slice_of(size: int, wanted: ByteRange | None) -> tuple[int, int]:
    """First and last byte (inclusive) of an object of `size` bytes that `wanted` asks for (RFC 9110, 14.1.2)."""
    if wanted is None:
        return 0, size - 1
    if wanted.suffix is not None:
        first, last = max(0, size - wanted.suffix), size - 1
    else:
        first, last = wanted.first or 0, min(size - 1, size - 1 if wanted.last is None else wanted.last)
    if first > last:
        raise RangeNotSatisfiable(f"the object has {size} bytes", size=size)
    return first, last


def _announced_length(headers: Mapping[str, str], limit: int) -> int | None:
    text = headers.get("content-length")
    if text is None:
        return None
    if not text.isdigit():
        raise InvalidInput(f"content-length must be a number of bytes, not {text!r}", field="content-length")
    if int(text) > limit:
        raise TooLarge(f"an object is at most {limit} bytes here")
    return int(text)


async def _in_batches(found: Iterator[T]) -> AsyncIterator[T]:
    """What a thread finds, many at a time."""
    while batch := await asyncio.to_thread(lambda: list(itertools.islice(found, BATCH))):
        for one in batch:
            yield one
