"""Objects as files: one file per object, its name a hash of the key, its properties in a trailer, written by rename.

Layout: the media bytes, then the trailer as JSON, then the trailer's length (4 bytes, big-endian). One file is one
fact: no crash can leave bytes of one upload beside the properties of another.
"""

import hashlib
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from tams_common.errors import Unavailable
from tams_common.objects.port import Damaged, ObjectInfo

PART_SUFFIX: Final = ".part"
_LENGTH: Final = 4
_LONGEST: Final = 64 * 1024
"""Bytes of a trailer at most: where a file was cut off, any four bytes of media stand for its length."""


class Trailer(msgspec.Struct, frozen=True):
    """What a file knows of its object beside the bytes; the file's name is only a hash of the `key`."""

    etag: str
    content_type: str
    checksums: dict[str, str]
    key: str = ""


class OpenFile(NamedTuple):
    """A file open for reading, and what its trailer says."""

    descriptor: int
    info: ObjectInfo
    key: str


def path_of(directory: Path, key: str) -> Path:
    """Where the object `key` lies: ids may hold anything, file names may not."""
    name = hashlib.sha256(key.encode()).hexdigest()
    return directory / name[:2] / name


@contextmanager
def disk() -> Iterator[None]:
    """Turns errors of the file system (disk full, directory gone) into `Unavailable`."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"the media directory cannot be used: {error.strerror or error}") from error


def tail_of(trailer: Trailer) -> bytes:
    """What follows the media bytes in a file."""
    tail = msgspec.json.encode(trailer)
    return tail + len(tail).to_bytes(_LENGTH, "big")


def show(part: Path, final: Path) -> None:
    """Gives a file that is whole and durable its name, durably."""
    part.rename(final)
    descriptor = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Part:
    """An upload on its way: bytes go into a temporary file beside the final one.

    Its methods run in threads, and who waits for one may be cancelled while it is at work: they take turns, so that
    none writes to a descriptor that another has closed, which may be another file's by then.
    """

    def __init__(self, final: Path) -> None:
        self._final = final
        self._path = final.with_name(f"{final.name}.{secrets.token_hex(8)}{PART_SUFFIX}")
        self._turn = threading.Lock()
        self._descriptor = -1
        self._has_ended = False

    def write(self, data: bytes) -> None:
        """Appends `data`."""
        with self._turn, disk():
            if not self._has_ended:
                self._append(data)

    def finish(self, trailer: Trailer) -> None:
        """Makes the object visible, whole and durable."""
        with self._turn, disk():
            if not self._has_ended:
                self._append(tail_of(trailer))
                os.fsync(self._descriptor)
                self._close()
                show(self._path, self._final)
                self._has_ended = True

    def discard(self) -> None:
        """Removes what was written, if it has not been finished; where that cannot be, tidying up does it later."""
        with self._turn:
            if not self._has_ended:
                self._has_ended = True
                with suppress(OSError):
                    self._close()
                with suppress(OSError):
                    self._path.unlink(missing_ok=True)

    def _append(self, data: bytes) -> None:
        if self._descriptor < 0:
            self._final.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def settle(path: Path, data: bytes) -> bytes:
    """Writes a small file for the owner's eyes, durably, unless there is one; returns what it holds then."""
    if not path.exists():
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first: what it wrote holds
            os.link(fresh, path)
        fresh.unlink()
    return path.read_bytes()


def open_file(path: Path) -> OpenFile | None:
    """Opens an object for reading; the caller closes the descriptor. None when it does not exist; raises `Damaged`."""
    with disk():
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            status = os.fstat(descriptor)
            length = int.from_bytes(os.pread(descriptor, _LENGTH, status.st_size - _LENGTH), "big")
            size = status.st_size - _LENGTH - length
            if length > _LONGEST:
                raise OSError(f"a trailer of {length} bytes")
            trailer = msgspec.json.decode(os.pread(descriptor, length, size), type=Trailer)
        except (OSError, msgspec.DecodeError) as error:
            os.close(descriptor)
            file = f"{path.parent.name}/{path.name}"
            raise Damaged(f"the media file {file} is damaged", file=file) from error
    info = ObjectInfo(
        size=size,
        etag=trailer.etag,
        content_type=trailer.content_type,
        modified=status.st_mtime_ns,
        checksums=trailer.checksums,
    )
    return OpenFile(descriptor, info, trailer.key)
