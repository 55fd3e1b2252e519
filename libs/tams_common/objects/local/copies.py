"""Moving bytes between backends: streamed reads of one version, writes in parts that survive a crash.

The parts of an upload lie in one temporary file beside the final one, which only misses its trailer. Who writes to it
holds a lock: nobody who has opened it earlier, and comes back to it late, can write to what has become the object.
"""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tams_common.errors import InvalidInput, NotFound, PreconditionFailed, Unavailable
from tams_common.objects.local import files
from tams_common.objects.port import ObjectInfo, Upload

CHUNK: Final = 1024 * 1024


def open_version(directory: Path, key: str, *, etag: str) -> files.OpenFile:
    """Opens an object that has to be the one with `etag`; the caller closes the descriptor."""
    opened = files.open_file(files.path_of(directory, key))
    if opened is None:
        raise NotFound("no bytes have been uploaded for this object")
    if opened.info.etag != etag:
        os.close(opened.descriptor)
        raise PreconditionFailed("the object is another one by now")
    return opened


def begin(directory: Path, key: str, *, content_type: str, size: int) -> Upload:
    """Makes room for the parts."""
    upload = Upload(key, content_type, size, id=secrets.token_hex(8))
    path = _part(directory, upload)
    with files.disk():
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
    return upload


def arrived(directory: Path, upload: Upload) -> int:
    """The bytes of whole parts: each was made durable before the next one came."""
    with files.disk():
        try:
            size = _part(directory, upload).stat().st_size
        except FileNotFoundError:
            raise NotFound("the upload has been given up") from None
    return upload.size if size >= upload.size else size - size % upload.part_size


def append(directory: Path, upload: Upload, *, data: bytes, at: int) -> None:
    """Writes a part in its place, durably."""
    with _taken(_part(directory, upload)) as descriptor:
        _write(descriptor, data, at=at)


def complete(directory: Path, upload: Upload) -> ObjectInfo:
    """Makes the object seen; once more for an upload that is complete changes nothing.

    A trailer that was cut off on its way to the disk is written anew.
    """
    path, final = _part(directory, upload), files.path_of(directory, upload.key)
    with suppress(NotFound), _taken(path) as descriptor:
        size = os.fstat(descriptor).st_size
        tail = files.tail_of(files.Trailer(_md5(descriptor, upload.size), upload.content_type, {}, upload.key))
        if size < upload.size or not tail.startswith(os.pread(descriptor, len(tail) + 1, upload.size)):
            raise InvalidInput(f"{size} of {upload.size} bytes have arrived")
        _write(descriptor, tail, at=upload.size)
        files.show(path, final)
    return _completed(final, upload)


def abort(directory: Path, upload: Upload) -> None:
    """Removes the parts."""
    with files.disk():
        _part(directory, upload).unlink(missing_ok=True)


def _part(directory: Path, upload: Upload) -> Path:
    final = files.path_of(directory, upload.key)
    return final.with_name(f"{final.name}.{upload.id}{files.PART_SUFFIX}")


@contextmanager
def _taken(path: Path) -> Iterator[int]:
    """The parts, to be written by nobody else meanwhile; raises `NotFound` when they are no longer under their name."""
    with files.disk():
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            raise NotFound("the upload has been given up") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not path.exists():  # it was shown or given up in between; no other upload ever has this name
                raise NotFound("the upload has been given up")
            yield descriptor
        except BlockingIOError:
            raise Unavailable("another process writes to the same upload") from None
        finally:
            os.close(descriptor)


def _write(descriptor: int, data: bytes, *, at: int) -> None:
    """Writes all of it, durably."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, at)
        view, at = view[written:], at + written
    os.fsync(descriptor)


def _md5(descriptor: int, size: int) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for at in range(0, size, CHUNK):
        digest.update(os.pread(descriptor, min(CHUNK, size - at), at))
    return digest.hexdigest()


def _completed(final: Path, upload: Upload) -> ObjectInfo:
    opened = files.open_file(final)
    if opened is None:
        raise NotFound("the upload has been given up")
    os.close(opened.descriptor)
    if opened.info.size != upload.size:
        raise InvalidInput(f"{opened.info.size} of {upload.size} bytes have arrived")
    return opened.info
