"""Moving bytes between backends: streamed reads of one version, writes in parts that survive a crash, listings.

The parts of an upload lie in one temporary file beside the final one, which only misses its trailer.
"""

import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tams_common.errors import InvalidInput, NotFound, PreconditionFailed
from tams_common.objects.local import files
from tams_common.objects.port import Entry, ObjectInfo, Upload

CHUNK: Final = 1024 * 1024
_HASH: Final = 64
"""Characters of an object's file name."""


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
    with files.disk():
        try:
            descriptor = os.open(_part(directory, upload), os.O_WRONLY)
        except FileNotFoundError:
            raise NotFound("the upload has been given up") from None
        try:
            view = memoryview(data)
            while view:
                written = os.pwrite(descriptor, view, at)
                view, at = view[written:], at + written
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def complete(directory: Path, upload: Upload) -> ObjectInfo:
    """Makes the object seen; once more for an upload that is complete changes nothing."""
    path, final = _part(directory, upload), files.path_of(directory, upload.key)
    with files.disk():
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return _completed(final, upload)
        try:
            size = os.fstat(descriptor).st_size
            if size != upload.size:
                raise InvalidInput(f"{size} of {upload.size} bytes have arrived")
            digest = hashlib.md5(usedforsecurity=False)
            for at in range(0, size, CHUNK):
                digest.update(os.pread(descriptor, CHUNK, at))
        finally:
            os.close(descriptor)
    trailer = files.Trailer(digest.hexdigest(), upload.content_type, {}, upload.key)
    files.Part(final, taken=path).finish(trailer)
    return _completed(final, upload)


def abort(directory: Path, upload: Upload) -> None:
    """Removes the parts."""
    with files.disk():
        _part(directory, upload).unlink(missing_ok=True)


def entries(directory: Path) -> Iterator[Entry]:
    """Every object in the directory; what goes meanwhile is left out."""
    with files.disk():
        for path in directory.glob(f"{'[0-9a-f]' * 2}/{'[0-9a-f]' * _HASH}"):
            opened = files.open_file(path)
            if opened is not None:
                os.close(opened.descriptor)
                yield Entry(opened.key, opened.info.size, opened.info.modified)


def _part(directory: Path, upload: Upload) -> Path:
    final = files.path_of(directory, upload.key)
    return final.with_name(f"{final.name}.{upload.id}{files.PART_SUFFIX}")


def _completed(final: Path, upload: Upload) -> ObjectInfo:
    opened = files.open_file(final)
    if opened is None:
        raise NotFound("the upload has been given up")
    os.close(opened.descriptor)
    if opened.info.size != upload.size:
        raise InvalidInput(f"{opened.info.size} of {upload.size} bytes have arrived")
    return opened.info
