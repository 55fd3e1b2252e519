"""Where chunks live: an LRU of loaded ones, the cold ones in memory-mapped Arrow files."""

import os
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa

from vast_emulator.engine.chunk import Chunk, ChunkData, Columns, RowIds, Shape
from vast_emulator.engine.redo import sync_folder

PINNED_BYTES = 16 * 1024
"""Smaller chunks stay in memory: a file each would cost more than they hold."""
_ROW_IDS = "row_id"


class ChunkStore:
    """Makes, loads, spills and forgets chunks; at most `budget` bytes of larger ones are in memory, unless
    the disk takes no more. `group_rows` is how many rows a row group may have."""

    def __init__(self, directory: Path, *, budget: int, group_rows: int) -> None:
        self.group_rows = group_rows
        self._directory = directory
        self._budget = budget
        self._lock = threading.Lock()
        self._pinned: dict[int, ChunkData] = {}
        self._loaded: OrderedDict[int, tuple[ChunkData, int]] = OrderedDict()
        self._files: set[int] = set()
        self._durable: set[int] = set()
        self._forgotten: deque[int] = deque()
        self._ids = count(1)
        self.resident_bytes = 0
        self.loads = 0
        self.spills = 0
        directory.mkdir(parents=True, exist_ok=True)

    def make(self, row_ids: RowIds, columns: Columns, *, key: tuple[int, ...]) -> Chunk:
        """A new chunk of at least one row, sorted by `key` and row id."""
        size = row_ids.nbytes + sum(array.nbytes for array in columns.values())
        data = ChunkData(row_ids, columns)
        shape = Shape(len(row_ids), size, low=int(row_ids.min()), high=int(row_ids.max()), key=key)
        with self._lock:
            self._sweep()
            chunk = Chunk(self, next(self._ids), shape=shape)
            if size < PINNED_BYTES:
                self._pinned[chunk.id] = data
            else:
                chunk.know_bounds(data)
                self._keep(chunk.id, data, size=size)
        return chunk

    def adopt(self, id: int, shape: Shape, *, data: ChunkData | None) -> Chunk:
        """A chunk of a checkpoint: its rows, or None if they are in its file."""
        with self._lock:
            if data is None:
                self._files.add(id)
                self._durable.add(id)
            else:
                self._pinned[id] = data
            self._ids = count(max(id + 1, next(self._ids)))
        return Chunk(self, id, shape=shape)

    def data(self, chunk: Chunk) -> ChunkData:
        """The rows of a chunk."""
        with self._lock:
            pinned = self._pinned.get(chunk.id)
            if pinned is not None:
                return pinned
            found = self._loaded.get(chunk.id)
            if found is not None:
                self._loaded.move_to_end(chunk.id)
                return found[0]
            data = _read(self._path(chunk.id))
            self.loads += 1
            self._keep(chunk.id, data, size=chunk.bytes)
            return data

    def make_durable(self, chunk: Chunk) -> bool:
        """Sees to it that the chunk is on disk; False for a pinned one, which has no file."""
        with self._lock:
            self._sweep()
            if chunk.id in self._pinned:
                return False
            if chunk.id in self._durable:
                return True
            if chunk.id not in self._files:
                self._write(chunk.id, self._loaded[chunk.id][0])
        with self._path(chunk.id).open("rb") as file:
            os.fsync(file.fileno())
        with self._lock:
            self._durable.add(chunk.id)
        return True

    def sync(self) -> None:
        """Makes the names of the files durable."""
        sync_folder(self._directory)

    def forget(self, id: int) -> None:
        """Called when no version refers to a chunk any more, from any thread at any point: only takes a note."""
        self._forgotten.append(id)

    def keep_only(self, ids: Iterable[int]) -> None:
        """Removes the files of all other chunks: at the start, those that no checkpoint names."""
        kept = {f"{id}.arrow" for id in ids}
        for path in self._directory.iterdir():
            if path.name not in kept:
                path.unlink()

    def _keep(self, id: int, data: ChunkData, *, size: int) -> None:
        self._loaded[id] = (data, size)
        self.resident_bytes += size
        while self.resident_bytes > self._budget and len(self._loaded) > 1:
            cold, (cold_data, cold_size) = next(iter(self._loaded.items()))
            if cold not in self._files:
                try:
                    self._write(cold, cold_data)
                except OSError:
                    # A full disk must not fail a statement, let alone a commit that is in the log: memory holds it.
                    return
                self.spills += 1
            del self._loaded[cold]
            self.resident_bytes -= cold_size

    def _write(self, id: int, data: ChunkData) -> None:
        _write(self._path(id), data)
        self._files.add(id)

    def _sweep(self) -> None:
        while self._forgotten:
            id = self._forgotten.popleft()
            self._pinned.pop(id, None)
            found = self._loaded.pop(id, None)
            if found is not None:
                self.resident_bytes -= found[1]
            self._durable.discard(id)
            if id in self._files:
                self._files.discard(id)
                self._path(id).unlink(missing_ok=True)

    def _path(self, id: int) -> Path:
        return self._directory / f"{id}.arrow"


def to_batch(data: ChunkData) -> pa.RecordBatch:
    """The rows as one batch, columns named by their ids."""
    names = [_ROW_IDS, *map(str, data.columns)]
    return pa.RecordBatch.from_arrays([pa.array(data.row_ids), *data.columns.values()], names=names)


def from_batch(batch: pa.RecordBatch) -> ChunkData:
    """The rows of `to_batch`."""
    row_ids = np.asarray(batch.column(0).to_numpy(), dtype=np.uint64)
    return ChunkData(row_ids, {int(name): batch.column(name) for name in batch.schema.names[1:]})


def _write(path: Path, data: ChunkData) -> None:
    batch = to_batch(data)
    try:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
            writer.write_batch(batch)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _read(path: Path) -> ChunkData:
    with pa.memory_map(str(path)) as file, pa.ipc.open_file(file) as reader:
        return from_batch(reader.get_batch(0))
