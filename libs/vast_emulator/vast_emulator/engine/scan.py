"""Reading a table: which row groups a query looks into, which rows it takes, and how a page is put together."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vast_emulator.engine.chunk import ROW_IDS, Positions, RowIds
from vast_emulator.engine.filtering import Source, matching
from vast_emulator.engine.group import Group, Layout, Part
from vast_emulator.engine.port import FINISHED, ROW_GROUP, ROW_ID, Page, Selection, Split
from vast_emulator.engine.predicate import Condition
from vast_emulator.engine.pruning import KeyRange, Prune, key_ranges, prune
from vast_emulator.engine.rows import Rows, first_from, first_past

PAGE_ROWS = 128 * 1024
PAGE_BYTES = 64 << 20
BY_PLACE = 1 << 47
"""Start rows from here on count the rows of a projection's answer; smaller ones are row ids."""

_SMALL = 2048
"""Up to so many rows are compared one by one sooner than searched."""


@dataclass(slots=True)
class ScanCounters:
    """How much queries read; shared by all scans of an engine."""

    groups_read: int = 0
    groups_pruned: int = 0


@dataclass(frozen=True, slots=True)
class Hits:
    """Rows that a query takes, in the order of the answer: part number and position of each."""

    parts: list[Part]
    row_ids: RowIds
    places: Positions
    positions: Positions


@dataclass(frozen=True, slots=True)
class Scan:
    """One query on one immutable version. `in_order` answers in the order of the sort key, else by row id."""

    rows: Rows
    layout: Layout
    terms: tuple[Condition, ...]
    selection: Selection
    in_order: bool
    counters: ScanCounters
    _ids: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ids", {ROW_ID: ROW_IDS} | {each.name: each.id for each in self.layout.columns})

    def pages(self) -> Iterator[Page]:
        """One page for each start of the split."""
        names = {id: name for name, id in self._ids.items()}
        ranges = key_ranges(self.terms, [names[id] for id in (*self.layout.key, ROW_IDS)])
        test = prune(self.terms, self._ids)
        for sub_split, start in self.selection.split.starts:
            if start >= FINISHED:
                continue
            share = Share(self.selection.split, sub_split)
            yield self._page(share, start, ranges=ranges, test=test)

    def _page(self, share: "Share", start: int, *, ranges: list[KeyRange], test: Prune) -> Page:
        skipped = start - BY_PLACE if start >= BY_PLACE else 0
        first = 0 if start >= BY_PLACE else start
        stop = skipped + self._limit()
        hits: list[tuple[Part, Positions]] = []
        found = 0
        for group in self._candidates(ranges, lambda c: c.high >= first and share.meets(c.low, c.high) and test(c)):
            for part, positions in group:
                row_ids = part.chunk.data().row_ids[positions]
                mine = positions[share.holds(row_ids) & (row_ids >= first)]
                if len(mine):
                    hits.append((part, mine))
                    found += len(mine)
            # Without a sort key the groups lie by row id: no later one has a row of this page.
            if found > stop and not self.layout.key:
                break
        taken = self._ordered(hits, at_most=stop + 1)
        next_row = FINISHED
        if len(taken.row_ids) > stop:
            next_row = BY_PLACE + stop if self.in_order else int(taken.row_ids[stop])
        return Page(share.sub_split, next_row, self._gather(taken, range(skipped, stop)))

    def _candidates(self, ranges: list[KeyRange], test: Prune) -> Iterator[list[tuple[Part, Positions]]]:
        numbers: dict[int, list[KeyRange]] = {}
        for low, high in ranges:
            for number in self.rows.between(low, high):
                numbers.setdefault(number, []).append((low, high))
        self.counters.groups_pruned += len(self.rows.groups) - len(numbers)
        for number, wanted in numbers.items():
            yield list(self._of_group(self.rows.groups[number], wanted, test=test))

    def _of_group(self, group: Group, ranges: list[KeyRange], *, test: Prune) -> Iterator[tuple[Part, Positions]]:
        left = [part for part in group if test(part.chunk)]
        if not left:
            self.counters.groups_pruned += 1
            return
        self.counters.groups_read += 1
        for part in left:
            among = self._among(part, ranges)
            positions = matching(self.terms, self._source(part), among=among) if len(among) else np.zeros(0, np.int64)
            if len(part.dead):
                positions = np.setdiff1d(positions, part.dead, assume_unique=True)
            if len(positions):
                yield part, positions

    def _among(self, part: Part, ranges: list[KeyRange]) -> range | Positions:
        """The rows of a part within the key ranges; its rows are in the order of the key."""
        whole = range(part.chunk.rows)
        if len(whole) <= _SMALL:
            return whole
        data, columns = part.chunk.data(), (*self.layout.key, ROW_IDS)
        found = []
        for low, high in ranges:
            start = first_from(data, low, columns=columns[: len(low)], within=whole) if low else 0
            left = range(start, whole.stop)
            stop = first_past(data, high, columns=columns[: len(high)], within=left) if high else whole.stop
            found.append(range(start, stop))
        if len(found) == 1:
            return found[0]
        return np.concatenate([np.arange(each.start, each.stop) for each in found])

    def _source(self, part: Part) -> Source:
        data = part.chunk.data()
        kinds = {column.id: column.field.type for column in self.layout.columns}

        def column(column: str) -> pa.Array:
            array = data.array(self._ids[column])
            return pa.nulls(part.chunk.rows, kinds[self._ids[column]]) if array is None else array

        return column

    def _limit(self) -> int:
        width = self.rows.bytes // max(1, self.rows.count)
        return max(1, min(self.selection.limit or PAGE_ROWS, PAGE_ROWS, PAGE_BYTES // max(1, width)))

    def _ordered(self, hits: list[tuple[Part, Positions]], *, at_most: int) -> Hits:
        if not hits:
            nothing = np.zeros(0, np.int64)
            return Hits([], np.zeros(0, np.uint64), nothing, nothing)
        key = tuple(column for column in self.layout.columns if self.in_order and column.id in self.layout.key)
        row_ids, columns = Layout(self.layout.store, key, ()).gather(hits)
        order = self.layout.order(row_ids, columns) if self.in_order else _lowest(row_ids, at_most)
        places = np.repeat(np.arange(len(hits)), [len(positions) for _, positions in hits])
        positions = np.concatenate([positions for _, positions in hits])
        return Hits([part for part, _ in hits], row_ids[order], places[order], positions[order])

    def _gather(self, hits: Hits, share: range) -> pa.RecordBatch:
        rows = slice(share.start, share.stop)
        row_ids, places, at = hits.row_ids[rows], hits.places[rows], hits.positions[rows]
        wanted = tuple(column for column in self.layout.columns if column.name in self.selection.columns)
        used = np.flatnonzero(np.bincount(places))
        by_part = np.argsort(places, kind="stable")
        back = pa.array(np.argsort(by_part))
        columns: dict[int, pa.Array] = {column.id: pa.nulls(0, column.field.type) for column in wanted}
        if len(used):
            pieces = [(hits.parts[number], at[places == number]) for number in used]
            _, gathered = Layout(self.layout.store, wanted, ()).gather(pieces)
            columns = {id: array.take(back) if len(used) > 1 else array for id, array in gathered.items()}
        fields = {column.name: column.field for column in wanted} | {ROW_ID: pa.field(ROW_ID, pa.uint64())}
        arrays = [pa.array(row_ids) if name == ROW_ID else columns[self._ids[name]] for name in self.selection.columns]
        schema = pa.schema([fields[name] for name in self.selection.columns])
        if not self.selection.columns:
            return pa.record_batch([pa.nulls(len(row_ids))], names=["rows"]).select([])
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


@dataclass(frozen=True, slots=True)
class Share:
    """The blocks of row ids that one sub-split of one split reads."""

    split: Split
    sub_split: int

    def holds(self, row_ids: RowIds) -> npt.NDArray[np.bool_]:
        """Which of the rows are in it."""
        total = self.split.total * self.split.sub_splits
        if total == 1:
            return np.ones(len(row_ids), np.bool_)
        blocks = row_ids // np.uint64(ROW_GROUP * self.split.row_groups)
        mine: npt.NDArray[np.bool_] = blocks % np.uint64(total) == np.uint64(self._number)
        return mine

    def meets(self, low: int, high: int) -> bool:
        """Whether a row id between the two, both included, can be in it."""
        total = self.split.total * self.split.sub_splits
        first, last = (each // (ROW_GROUP * self.split.row_groups) for each in (low, high))
        return last - first >= total - 1 or any(block % total == self._number for block in range(first, last + 1))

    @property
    def _number(self) -> int:
        return self.split.id * self.split.sub_splits + self.sub_split


def _lowest(row_ids: RowIds, at_most: int) -> Positions:
    """Positions of the least row ids, in their order."""
    if len(row_ids) <= at_most:
        return np.argsort(row_ids)
    lowest = np.argpartition(row_ids, at_most - 1)[:at_most]
    return lowest[np.argsort(row_ids[lowest])]
