"""Which rows a condition can be true for, by least and greatest values and by the sort order, without reading them."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from vast_emulator.engine.chunk import Chunk
from vast_emulator.engine.predicate import AllOf, AnyOf, Compare, Condition, Contains, IsIn
from vast_emulator.engine.values import Key, Plain, element, is_ordered, plain

Prune: TypeAlias = Callable[[Chunk], bool]
"""Whether a chunk can hold a row that satisfies what this was made of."""
KeyRange: TypeAlias = tuple[Key, Key]
"""The least and the greatest prefix of keys, both included."""

_MAX_POINTS = 512


@dataclass(frozen=True, slots=True)
class Interval:
    """The values a column may have; an open side is None."""

    low: Plain | None = None
    high: Plain | None = None

    @property
    def is_point(self) -> bool:
        """Whether only one value is left."""
        return self.low is not None and self.low == self.high

    def narrowed(self, other: "Interval") -> "Interval":
        """Both at once."""
        lows = [each for each in (self.low, other.low) if each is not None]
        highs = [each for each in (self.high, other.high) if each is not None]
        return Interval(max(lows, default=None), min(highs, default=None))

    def meets(self, low: Plain, high: Plain) -> bool:
        """Whether a value between the two, both included, is allowed."""
        over = self.low is not None and high < self.low  # type: ignore[operator]
        under = self.high is not None and low > self.high  # type: ignore[operator]
        return not over and not under


def key_ranges(terms: Sequence[Condition], names: Sequence[str]) -> list[KeyRange]:
    """Where in the order of the columns `names` the rows can be that satisfy the terms; ascending, disjoint."""
    points = _points(terms, names[0])
    heads = [Interval(value, value) for value in points] if points else [_interval(terms, names[0])]
    tails = [_interval(terms, name) for name in names[1:]]
    return [_key_range([head, *tails]) for head in heads]


def prune(terms: Sequence[Condition], ids: Mapping[str, int]) -> Prune:
    """A test for chunks that sees every term; `ids` are the columns' ids by name."""
    tests = [_test(term, ids) for term in terms]
    return lambda chunk: all(test(chunk) for test in tests)


def _key_range(intervals: Sequence[Interval]) -> KeyRange:
    low: Key = ()
    high: Key = ()
    for interval in intervals:
        low = low if interval.low is None else (*low, element(interval.low))
        high = high if interval.high is None else (*high, element(interval.high))
        if not interval.is_point:
            break
    return low, high


def _points(terms: Sequence[Condition], name: str) -> list[Plain]:
    for term in terms:
        if isinstance(term, IsIn) and term.ref.column == name and not term.ref.path and len(term.values) <= _MAX_POINTS:
            interval = _interval([each for each in terms if isinstance(each, Compare)], name)
            return [value for value in sorted_values(term.values) if interval.meets(value, value)]
    return []


def _interval(terms: Sequence[Condition], name: str) -> Interval:
    result = Interval()
    for term in terms:
        match term:
            case Compare(ref=ref) if ref.column == name and not ref.path:
                result = result.narrowed(_allowed(term))
            case IsIn(ref=ref, values=values) if ref.column == name and not ref.path:
                wanted = sorted_values(values)
                result = result.narrowed(Interval(wanted[0], wanted[-1]) if wanted else Interval())
    return result


def _allowed(condition: Compare) -> Interval:
    value = plain(condition.value) if is_ordered(condition.value.type) else None
    if value is None or value != value:
        return Interval()
    match condition.operator:
        case "equal":
            return Interval(value, value)
        case "greater" | "greater_equal":
            return Interval(low=value)
        case "less" | "less_equal":
            return Interval(high=value)
        case _:
            return Interval()


def _test(term: Condition, ids: Mapping[str, int]) -> Prune:
    match term:
        case AllOf(parts=parts):
            return prune(parts, ids)
        case AnyOf(parts=parts):
            tests = [_test(part, ids) for part in parts]
            return lambda chunk: any(test(chunk) for test in tests)
        case Compare(ref=ref) if not ref.path:
            return _within(ids[ref.column], _allowed(term).meets)
        case IsIn(ref=ref, values=values) if not ref.path:
            return _within(ids[ref.column], _meets_any(sorted_values(values)))
        case Contains(ref=ref) if not ref.path:
            return _within(ids[ref.column], lambda _low, _high: True)
        case _:
            return lambda _chunk: True


def _within(column: int, meets: Callable[[Plain, Plain], bool]) -> Prune:
    def test(chunk: Chunk) -> bool:
        bounds = chunk.bounds(column)
        return bounds is False or (bounds is not None and meets(*bounds))

    return test


def _meets_any(values: list[Plain]) -> Callable[[Plain, Plain], bool]:
    def meets(low: Plain, high: Plain) -> bool:
        at = bisect_left(values, low)
        return not values or (at < len(values) and values[at] <= high)  # type: ignore[operator]

    return meets


def sorted_values(values: pa.Array) -> list[Plain]:
    """The distinct plain values, ascending; none if their type has no order."""
    if not is_ordered(values.type):
        return []
    found = {plain(value) for value in values}
    return sorted(value for value in found if value is not None and value == value)
