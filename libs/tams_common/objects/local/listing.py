"""What lies in the directory: objects, damaged ones too, uploads that are not complete, and whose it all is."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from tams_common.errors import Unavailable
from tams_common.objects.local import files
from tams_common.objects.port import Damaged, Entry, Owner, Unfinished

OWNER: Final = "owner.json"
_FOLDER: Final = "[0-9a-f]" * 2
_HASH: Final = "[0-9a-f]" * 64


def entries(directory: Path) -> Iterator[Entry]:
    """Every object; what goes meanwhile is left out."""
    with files.disk():
        for path in directory.glob(f"{_FOLDER}/{_HASH}"):
            try:
                opened = files.open_file(path)
            except Damaged as damaged:
                yield Entry("", 0, 0, damaged.file)
                continue
            if opened is not None:
                os.close(opened.descriptor)
                yield Entry(opened.key, opened.info.size, opened.info.modified)


def unfinished(directory: Path) -> Iterator[Unfinished]:
    """Every upload that is not complete; what goes meanwhile is left out."""
    with files.disk():
        for path in directory.glob(f"{_FOLDER}/*{files.PART_SUFFIX}"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            name = path.name.removesuffix(files.PART_SUFFIX)
            file = f"{path.parent.name}/{path.name}"
            yield Unfinished(name.rpartition(".")[2], status.st_mtime_ns, size=status.st_size, file=file)


def abandon(directory: Path, upload: Unfinished) -> None:
    """Removes the file of an upload."""
    with files.disk():
        (directory / upload.file).unlink(missing_ok=True)


def tidy(directory: Path, *, before: int) -> None:
    """Removes uploads whose latest write was before that moment (ns)."""
    for upload in unfinished(directory):
        if upload.modified < before:
            abandon(directory, upload)


def owner(directory: Path) -> Owner | None:
    """Whose mark the directory bears."""
    with files.disk():
        try:
            return _decode((directory / OWNER).read_bytes(), directory)
        except FileNotFoundError:
            return None


def mark(directory: Path, given: Owner) -> Owner:
    """Leaves the mark of `given` unless there is one; returns the one that is there then."""
    with files.disk():
        return _decode(files.settle(directory / OWNER, msgspec.json.encode(given)), directory)


def _decode(data: bytes, directory: Path) -> Owner:
    try:
        return msgspec.json.decode(data, type=Owner)
    except msgspec.DecodeError as error:
        raise Unavailable(f"the mark {directory / OWNER} cannot be read: {error}") from error
