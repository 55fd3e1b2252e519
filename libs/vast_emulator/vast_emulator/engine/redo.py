"""The redo log: one record for each commit, on disk before the commit answers; a torn tail is cut at the start."""

import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from vast_emulator.engine.errors import EngineError, out_of_space

_HEAD = struct.Struct("<II")
_SEED = 0x56415354
"""Keeps a run of zeros, as a crash may leave at a file's end, from looking like empty records."""


class RedoLog:
    """One log file that commits append to; concurrent commits share an fsync."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._written = os.fstat(self._file).st_size
        self._synced = self._written
        self._state = threading.Condition()
        self._is_syncing = False
        self._is_broken = False
        sync_folder(path.parent)

    @property
    def size(self) -> int:
        """Bytes in the log."""
        return self._written

    def append(self, record: bytes) -> int:
        """Adds a record and returns the position that `sync` has to reach; 507 if it cannot, then nothing is added."""
        if self._is_broken:
            raise out_of_space("the redo log could not be written")
        framed = frame(record)
        try:
            _write_all(self._file, framed)
        except OSError as error:
            self._cut()
            raise out_of_space(str(error)) from error
        self._written += len(framed)
        return self._written

    def sync(self, position: int) -> None:
        """Returns when everything up to the position is on disk; after a failure the log takes nothing more."""
        with self._state:
            while self._synced < position:
                if self._is_broken:
                    raise out_of_space("the redo log could not be written")
                if self._is_syncing:
                    self._state.wait()
                else:
                    self._sync_here()

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
            self._is_broken = self._is_broken or failed
            self._synced = self._synced if failed else max(self._synced, reached)
            self._state.notify_all()

    def _cut(self) -> None:
        try:
            os.ftruncate(self._file, self._written)
        except OSError:
            self._is_broken = True


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
