"""Moving the bytes of one copy: in parts, from where an earlier attempt was cut off, and held against the original."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Protocol, TypeAlias

import msgspec

from tams_common.errors import InvalidInput, NotFound, TamsError
from tams_common.objects import Copies, ObjectInfo, Objects, Upload
from tams_segments.copy_jobs import Progress

_OCTETS: Final = "application/octet-stream"
_COMPOSITE: Final = "-"
"""In a checksum: it was made of the checksums of parts, so that it tells nothing about other parts."""


class Differs(TamsError):
    """What has arrived is not what was read."""

    summary = "A copy is not equal to its original"


class Origin(Protocol):
    """An instance that is read."""

    name: str

    async def head(self) -> ObjectInfo:
        """Its size, version (none: empty) and type; raises `NotFound`, `Unavailable`."""
        ...

    def read(self, info: ObjectInfo, *, first: int) -> AsyncIterator[bytes]:
        """The bytes from `first` on of the version that `info` tells; raises as `Copies.read` does."""
        ...


class InBackend:
    """An instance in a backend of this store."""

    def __init__(self, objects: Objects, copies: Copies, *, key: str) -> None:
        self._objects = objects
        self._copies = copies
        self._key = key
        self.name: str = objects.backend.id

    async def head(self) -> ObjectInfo:
        """What is stored."""
        info = await self._objects.head(self._key)
        if info is None:
            raise NotFound(f"no bytes have been uploaded to backend {self.name}")
        return info

    def read(self, info: ObjectInfo, *, first: int) -> AsyncIterator[bytes]:
        """The bytes from `first` on."""
        return self._copies.read(self._key, first=first, etag=info.etag)


Note: TypeAlias = Callable[[Progress], Awaitable[None]]
"""Keeps what has been begun; raises when there is no use in going on."""
Moved: TypeAlias = Callable[[int], Awaitable[None]]
"""Hears of each part, by its size in bytes; raises when there is no use in going on."""


class Order(msgspec.Struct, frozen=True):
    """One copy: what has been begun of it, the `key` of an upload that is begun anew, which nothing else has or will
    have, and who is told how it goes on."""

    key: str
    content_type: str | None
    begun: Progress | None
    note: Note
    moved: Moved


class Copying:
    """Makes a copy of the bytes at `origin` in `target`."""

    def __init__(self, origin: Origin, target: Copies, *, order: Order) -> None:
        self._origin = origin
        self._target = target
        self._order = order
        self._digests = _Digests()

    async def run(self) -> Upload:
        """Returns the upload when it is complete and equal to the original; goes on where an earlier one was cut off.

        Raises what backends raise, and `Differs`, after which the copy has to begin anew.
        """
        info = await self._origin.head()
        upload, at = await self._start(info)
        if at < upload.size or upload.size == 0:
            await self._fill(upload, self._origin.read(info, first=at), at=at)
        made = await self._complete(upload)
        if not _is_equal(info, made) and not (at == 0 and made.etag in self._digests.tags()):
            await self._compare(info, made, key=upload.key)
        return upload

    async def _complete(self, upload: Upload) -> ObjectInfo:
        try:
            return await self._target.complete(upload)
        except InvalidInput as error:
            await self._target.abort(upload)
            raise Differs(error.detail) from error

    async def _start(self, info: ObjectInfo) -> tuple[Upload, int]:
        """The upload, and how many bytes have arrived: of what has been begun, where that can go on."""
        begun = self._order.begun
        if begun is not None:
            at = await self._reached(begun.upload) if self._goes_on(begun, info) else None
            if at is not None:
                return begun.upload, at
            await self._target.abort(begun.upload)
        kind = self._order.content_type or info.content_type or _OCTETS
        upload = await self._target.begin(self._order.key, content_type=kind, size=info.size)
        await self._order.note(Progress(self._origin.name, info.etag, upload))
        return upload, 0

    def _goes_on(self, begun: Progress, info: ObjectInfo) -> bool:
        """Whether the rest of `info` can follow: it is the same version, and more than one part.

        A single part has nothing to save, and backends may show it as soon as it is written: its key has one writer.
        """
        same = bool(begun.etag) and (begun.origin, begun.etag) == (self._origin.name, info.etag)
        return same and begun.upload.size > begun.upload.part_size

    async def _reached(self, upload: Upload) -> int | None:
        """How many bytes have arrived, all of them if it was completed; None when the backend has given it up."""
        try:
            return await self._target.arrived(upload)
        except NotFound:
            try:
                return (await self._target.complete(upload)).size
            except NotFound:
                return None

    async def _fill(self, upload: Upload, body: AsyncIterator[bytes], *, at: int) -> None:
        """Writes part after part; an object without bytes has one part without any."""
        waiting = bytearray()
        async for data in body:
            waiting += data
            while len(waiting) >= upload.part_size:
                at = await self._append(upload, bytes(waiting[: upload.part_size]), at=at)
                del waiting[: upload.part_size]
        if waiting or at == 0:
            await self._append(upload, bytes(waiting), at=at)

    async def _append(self, upload: Upload, part: bytes, *, at: int) -> int:
        await asyncio.to_thread(self._digests.update, part)
        await self._target.append(upload, part, at=at)
        await self._order.moved(len(part))
        return at + len(part)

    async def _compare(self, info: ObjectInfo, made: ObjectInfo, *, key: str) -> None:
        """Reads both once more, where nothing that their backends tell shows that they are equal."""
        original = await _digest(self._origin.read(info, first=0))
        if original != await _digest(self._target.read(key, first=0, etag=made.etag)):
            raise Differs("the copy has other bytes than its original")


class _Digests:
    """Of what has been moved: the entity tags that backends give to an object, written whole or in the same parts."""

    def __init__(self) -> None:
        self._whole = hashlib.md5(usedforsecurity=False)
        self._parts: list[bytes] = []

    def update(self, part: bytes) -> None:
        """Adds the next part."""
        self._whole.update(part)
        self._parts.append(hashlib.md5(part, usedforsecurity=False).digest())

    def tags(self) -> frozenset[str]:
        """The tags."""
        parts = hashlib.md5(b"".join(self._parts), usedforsecurity=False).hexdigest()
        return frozenset((self._whole.hexdigest(), f"{parts}-{len(self._parts)}"))


def _is_equal(original: ObjectInfo, made: ObjectInfo) -> bool:
    """Whether sizes, and checksums or entity tags, say so; False when they leave it open. Raises `Differs`."""
    if made.size != original.size:
        raise Differs(f"the copy has {made.size} bytes, its original {original.size}")
    for name, checksum in original.checksums.items():
        other = made.checksums.get(name, _COMPOSITE)
        if _COMPOSITE in checksum or _COMPOSITE in other:
            continue
        if checksum != other:
            raise Differs(f"the copy has another {name} than its original")
        return True
    return made.etag == original.etag


async def _digest(body: AsyncIterator[bytes]) -> bytes:
    digest = hashlib.sha256()
    async for data in body:
        await asyncio.to_thread(digest.update, data)
    return digest.digest()
