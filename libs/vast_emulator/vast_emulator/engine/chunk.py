"""Immutable rows: row ids and columns by column id, on file or in memory, with least and greatest values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vast_emulator.engine.values import Key, Plain, element, is_ordered, plain

if TYPE_CHECKING:
    from vast_emulator.engine.chunks import ChunkStore

RowIds: TypeAlias = npt.NDArray[np.uint64]
Positions: TypeAlias = npt.NDArray[np.int64]
Columns: TypeAlias = Mapping[int, pa.Array]
Bounds: TypeAlias = tuple[Plain, Plain] | Literal[False] | None
"""Least and greatest value of a column; None if all are null, False if the type has no order or they are long."""

ROW_IDS = -1
"""The column id of the row ids themselves."""
_LONG_BOUND = 256


@dataclass(slots=True)
class ChunkData:
    """A chunk's rows, loaded."""

    row_ids: RowIds
    columns: Columns
    _order: Positions | None = field(default=None)

    def array(self, column: int) -> pa.Array | None:
        """One column, or None for a column younger than the chunk (all null)."""
        return pa.array(self.row_ids) if column == ROW_IDS else self.columns.get(column)

    def key(self, position: int, columns: tuple[int, ...]) -> Key:
        """The key of one row over the given columns."""
        return tuple(self._element(position, column) for column in columns)

    def find(self, row_ids: RowIds) -> tuple[Positions, npt.NDArray[np.bool_]]:
        """Positions of row ids, and which of them are here at all."""
        if self._order is None and not bool(np.all(self.row_ids[1:] > self.row_ids[:-1])):
            self._order = np.argsort(self.row_ids)
        at = np.searchsorted(self.row_ids, row_ids, sorter=self._order)
        at[at == len(self.row_ids)] = 0
        positions = at if self._order is None else self._order[at]
        return positions, self.row_ids[positions] == row_ids

    def _element(self, position: int, column: int) -> tuple[int] | tuple[int, Plain]:
        if column == ROW_IDS:
            return (2, int(self.row_ids[position]))
        array = self.columns.get(column)
        return element(None if array is None else plain(array[position]))


class Chunk:
    """The handle of immutable rows. `key` names the columns they are sorted by, before the row id."""

    __slots__ = ("_bounds", "_store", "bytes", "high", "id", "key", "low", "rows")

    def __init__(self, store: "ChunkStore", id: int, *, shape: "Shape") -> None:
        self._store = store
        self.id = id
        self.rows = shape.rows
        self.bytes = shape.bytes
        self.low = shape.low
        self.high = shape.high
        self.key = shape.key
        self._bounds: dict[int, Bounds] = dict(shape.bounds)

    @property
    def shape(self) -> "Shape":
        """What a checkpoint keeps of it."""
        return Shape(self.rows, self.bytes, low=self.low, high=self.high, key=self.key, bounds=dict(self._bounds))

    def data(self) -> ChunkData:
        """Its rows, read from file if they are not in memory."""
        return self._store.data(self)

    def bounds(self, column: int) -> Bounds:
        """Least and greatest value of one column, without loading a chunk that is on file."""
        if column == ROW_IDS:
            return (self.low, self.high)
        if column not in self._bounds:
            self._bounds[column] = bounds_of(self.data().array(column))
        return self._bounds[column]

    def know_bounds(self, data: ChunkData) -> None:
        """Computes every column's bounds now, so that pruning never has to load the chunk."""
        for column, array in data.columns.items():
            if column not in self._bounds:
                self._bounds[column] = bounds_of(array)

    def __del__(self) -> None:
        self._store.forget(self.id)


@dataclass(frozen=True, slots=True)
class Shape:
    """A chunk without its rows: counts, row id range, order and bounds."""

    rows: int
    bytes: int
    low: int = field(kw_only=True)
    high: int = field(kw_only=True)
    key: tuple[int, ...] = field(kw_only=True)
    bounds: Mapping[int, Bounds] = field(kw_only=True, default_factory=dict)


def bounds_of(array: pa.Array | None) -> Bounds:
    """The bounds of one column; None for a column younger than its chunk."""
    if array is None:
        return None
    if not is_ordered(array.type) or pa.types.is_float16(array.type):
        return False
    ends = pc.min_max(array)
    low, high = plain(ends["min"]), plain(ends["max"])
    if low is None or high is None:
        return None
    if low != low or high != high:
        return False
    if isinstance(low, bytes) and isinstance(high, bytes) and max(len(low), len(high)) > _LONG_BOUND:
        return False
    return (low, high)
