"""The redo log: one record for each commit, on disk before the commit answers; a torn tail is cut at the start."""

import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vast_emulator.engine.errors import EngineError, out_of_space

_HEAD = struct.Struct("<II")
_SEED = 0x56415354
"""Keeps a run of zeros, as a crash may leave at a file's end, from looking like empty records."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The end of a record; a failed sync begins another generation, and takes back what was not on disk."""

    generation: int
    position: int


class RedoLog:
    """One log file that commits append to; concurrent commits share an fsync.

    What could not be written or synced is cut off again, at the latest before the next record: the disk may have room
    by then, and a commit that was refused must not be found there by a later start.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            sync_folder(path.parent)
            self._written = os.fstat(self._file).st_size
        except OSError:
            os.close(self._file)
            raise
        self._synced = self._written
        self._ends: list[int] = []
        self._state = threading.Condition()
        self._is_syncing = False
        self._is_torn = False

    @property
    def size(self) -> int:
        """Bytes in the log."""
        return self._written

    def append(self, record: bytes) -> Mark:
        """Adds a record and returns what `sync` has to reach; 507 if it cannot, then nothing is added."""
        framed = frame(record)
        with self._state:
            self._mend()
            try:
                _write_all(self._file, framed)
            except OSError as error:
                self._tear()
                raise out_of_space(str(error)) from error
            self._written += len(framed)
            return Mark(len(self._ends), self._written)

    def sync(self, mark: Mark) -> None:
        """Returns when everything up to the mark is on disk; 507 if it cannot be, then it is not in the log."""
        with self._state:
            while mark.generation == len(self._ends) and self._synced < mark.position:
                if self._is_syncing:
                    self._state.wait()
                else:
                    self._sync_here()
            if mark.generation < len(self._ends) and self._ends[mark.generation] < mark.position:
                raise out_of_space("the redo log could not be synced")

    def mend(self) -> None:
        """Cuts off what a failure has left; 507 if it cannot."""
        with self._state:
            self._mend()

    def close(self) -> None:
        """Gives the file up."""
        os.close(self._file)

    def _sync_here(self) -> None:
        self._is_syncing, reached = True, self._written
        self._state.release()
        failed = False
        try:
            os.fsync(self._file)
        except OSError:
            failed = True
        finally:
            self._state.acquire()
            self._is_syncing = False
            if failed:
                # Only what was synced before is certain: the kernel may have dropped the rest and forgotten about it.
                self._ends.append(self._synced)
                self._written = self._synced
                self._tear()
            else:
                self._synced = max(self._synced, reached)
            self._state.notify_all()

    def _tear(self) -> None:
        self._is_torn = True
        with suppress(EngineError):
            self._mend()

    def _mend(self) -> None:
        if not self._is_torn:
            return
        try:
            os.ftruncate(self._file, self._written)
            os.fsync(self._file)
        except OSError as error:
            raise out_of_space(str(error)) from error
        self._is_torn = False


def records(path: Path, *, is_last: bool) -> Iterator[bytes]:
    """The records of a log; the torn end of the last one is cut off, anywhere else it is an error."""
    end = 0
    with path.open("rb") as file:
        while (record := _read(file.read(_HEAD.size), file.read)) is not None:
            end = file.tell()
            yield record
    if path.stat().st_size > end:
        if not is_last:
            raise EngineError(500, "InternalError", message=f"{path.name} is damaged at byte {end}")
        os.truncate(path, end)


def frame(record: bytes) -> bytes:
    """A record as it lies in a file."""
    return _HEAD.pack(len(record), zlib.crc32(record, _SEED)) + record


def _read(head: bytes, read: Callable[[int], bytes]) -> bytes | None:
    if len(head) < _HEAD.size:
        return None
    length, checksum = _HEAD.unpack(head)
    record = read(length)
    return record if len(record) == length and zlib.crc32(record, _SEED) == checksum else None


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def sync_folder(path: Path) -> None:
    """Makes names that were added to or removed from a folder durable."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
