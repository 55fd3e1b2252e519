"""A row group: a few chunks, most rows in the first, and which of their rows are dead."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vast_emulator.engine.chunk import Chunk, Positions, RowIds
from vast_emulator.engine.chunks import ChunkStore
from vast_emulator.engine.columns import Column

MAX_PARTS = 12
MAX_BYTES = 256 << 20
"""A group is cut before its text columns outgrow Arrow's 31-bit offsets."""
_WORTH_CLEANING = 1024


@dataclass(frozen=True, slots=True)
class Part:
    """A chunk within a group; `dead` are the positions, ascending, of rows that were deleted or replaced."""

    chunk: Chunk
    dead: Positions

    @property
    def rows(self) -> int:
        """Rows alive."""
        return self.chunk.rows - len(self.dead)

    def alive(self) -> Positions:
        """Positions of the rows alive, ascending."""
        return np.delete(np.arange(self.chunk.rows), self.dead)

    def locate(self, row_ids: RowIds) -> Positions:
        """Positions of those of the row ids (ascending) that are here and alive."""
        low, high = np.searchsorted(row_ids, [self.chunk.low, self.chunk.high + 1])
        if low == high:
            return np.zeros(0, np.int64)
        positions, found = self.chunk.data().find(row_ids[low:high])
        positions = np.sort(positions[found])
        return np.setdiff1d(positions, self.dead, assume_unique=True) if len(self.dead) else positions

    def without(self, positions: Positions) -> "Part":
        """With more dead: positions of rows that are alive."""
        return Part(self.chunk, np.sort(np.concatenate([self.dead, positions])))


Group: TypeAlias = tuple[Part, ...]


def part(chunk: Chunk) -> Part:
    """A chunk with every row alive."""
    return Part(chunk, np.zeros(0, np.int64))


def rows_of(group: Group) -> int:
    """Rows alive."""
    return sum(each.rows for each in group)


def bytes_of(group: Group) -> int:
    """Bytes held, the dead included."""
    return sum(each.chunk.bytes for each in group)


@dataclass(frozen=True, slots=True)
class Layout:
    """What merging chunks needs to know of their table: its columns and the sort order of its rows."""

    store: ChunkStore
    columns: tuple[Column, ...]
    key: tuple[int, ...]

    def tidy(self, group: Group) -> Group:
        """The same rows in fewer parts, if it is time for that; rewrites few rows unless most are dead."""
        group = tuple(self._cleaned(each) for each in group if each.rows)
        if len(group) <= MAX_PARTS:
            return group
        start = len(group) - MAX_PARTS // 2
        while start and group[start - 1].rows <= 2 * rows_of(group[start:]):
            start -= 1
        while start < len(group) and bytes_of(group[start:]) > MAX_BYTES:
            start += 1
        return (*group[:start], *self.merged(group[start:], at_most=1 << 62))

    def merged(self, group: Group, *, at_most: int) -> Iterator[Part]:
        """The living rows in their order, in parts of at most so many rows."""
        parts = [each for each in group if each.rows]
        if not parts:
            return
        row_ids, columns = self.gather([(each, each.alive()) for each in parts])
        order = self.order(row_ids, columns)
        for start in range(0, len(row_ids), at_most):
            piece = order[start : start + at_most]
            taken = {id: array.take(pa.array(piece)) for id, array in columns.items()}
            yield part(self.store.make(row_ids[piece], taken, key=self.key))

    def gather(self, hits: list[tuple[Part, Positions]]) -> tuple[RowIds, dict[int, pa.Array]]:
        """Rows at positions of several parts, one after the other."""
        loaded = [(each.chunk.data(), pa.array(positions)) for each, positions in hits]
        row_ids = np.concatenate(
            [data.row_ids[positions] for (data, _), (_, positions) in zip(loaded, hits, strict=True)]
        )
        columns = {}
        for column in self.columns:
            arrays = []
            for data, positions in loaded:
                array = data.columns.get(column.id)
                arrays.append(pa.nulls(len(positions), column.field.type) if array is None else array.take(positions))
            columns[column.id] = pa.concat_arrays(arrays)
        return row_ids, columns

    def order(self, row_ids: RowIds, columns: dict[int, pa.Array]) -> Positions:
        """Positions of rows in the order of the sort key and the row id."""
        if not self.key:
            return np.argsort(row_ids, kind="stable")
        names = [str(id) for id in self.key]
        table = pa.Table.from_arrays([*(columns[id] for id in self.key), pa.array(row_ids)], names=[*names, "row_id"])
        keys = [(name, "ascending") for name in [*names, "row_id"]]
        return np.asarray(pc.sort_indices(table, sort_keys=keys, null_placement="at_start").to_numpy(), dtype=np.int64)

    def _cleaned(self, each: Part) -> Part:
        if len(each.dead) < _WORTH_CLEANING or len(each.dead) * 4 < each.chunk.rows:
            return each
        return next(self.merged((each,), at_most=1 << 62))
