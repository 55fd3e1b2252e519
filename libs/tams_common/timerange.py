"""Exact media time: timestamps in integer nanoseconds and the timeranges between them (TIME-1 to TIME-21).

The time line is continuous and has no epoch (TIME-18): inclusivity flags keep their exact meaning, so `(0:0_0:1)`
holds no whole nanosecond and is still not empty. Values are kept within 64-bit nanoseconds (ruling on TIME-3);
text or arithmetic that leaves them raises `TimeOverflowError`, and nothing is ever rounded or clamped.
"""

import re
from typing import Final, NoReturn, Self, final

NS: Final = 1_000_000_000
"""Nanoseconds in a second."""
MAX_NS: Final = 2**63 - 1
"""The latest instant that can be told, about 9,223,372,036 s."""
MIN_NS: Final = -(2**63)
"""The earliest instant that can be told, about -9,223,372,036 s."""

# Ten digits hold every number of seconds within the bounds; more are told apart only once the text is refused. No two
# neighbours can begin with the same character, so quantifiers may be possessive, which takes a third off a match.
_STAMP_TEXT: Final = r"(-?+)(0|[1-9][0-9]{0,9}+):(0|[1-9][0-9]{0,8}+)"
_WIDE_STAMP_TEXT: Final = _STAMP_TEXT.replace("{0,9}", "*")


def _range_text(stamp: str) -> str:
    return rf"([\[(]?+)(?:{stamp})?+(?:(_)(?:{stamp})?+)?+([\])]?+)"


_STAMP: Final = re.compile(_STAMP_TEXT)
_RANGE: Final = re.compile(_range_text(_STAMP_TEXT))
_WIDE_STAMP: Final = re.compile(_WIDE_STAMP_TEXT)
_WIDE_RANGE: Final = re.compile(_range_text(_WIDE_STAMP_TEXT))

_STAMP_FORM: Final = "[-]seconds:nanoseconds without leading zeros, nanoseconds at most 999999999"
_EXCERPT: Final = 64


class TimeFormatError(ValueError):
    """Text that is not a timestamp or timerange; the message says what was expected and where it fails."""


class TimeOverflowError(TimeFormatError, OverflowError):
    """A time beyond `MIN_NS` to `MAX_NS`, in text or as the result of arithmetic.

    It is a `TimeFormatError` too, because bounds are only ever left by what a request asked for.
    """


def parse_timestamp(text: str) -> int:
    """Read `text` as a timestamp and return nanoseconds (TIME-1 to TIME-3).

    Raises `TimeFormatError` for any other text, `TimeOverflowError` for a timestamp out of bounds.
    """
    match = _STAMP.fullmatch(text)
    if match is None:
        _refuse(text, what=f"a timestamp {_STAMP_FORM}", wide=_WIDE_STAMP)
    sign, seconds, nanoseconds = match.groups()
    ns = int(seconds) * NS + int(nanoseconds)
    if sign:
        ns = -ns
    if not MIN_NS <= ns <= MAX_NS:
        raise _overflow(text)
    return ns


def format_timestamp(ns: int) -> str:
    """Write nanoseconds as a timestamp; the sign stands for the whole value: `-1:500000000`, `-0:5` (TIME-2)."""
    if ns < 0:
        seconds, nanoseconds = divmod(-ns, NS)
        return f"-{seconds}:{nanoseconds}"
    seconds, nanoseconds = divmod(ns, NS)
    return f"{seconds}:{nanoseconds}"


@final
class TimeRange:
    """A connected piece of the time line: immutable, hashable, normalised when built.

    `start` and `end` are nanoseconds, None where the range is unbounded; the flags say whether the bound itself
    belongs to the range and are False beside None. Every empty range equals `EMPTY`, whatever it was made from
    (TIME-12). Raises `TimeOverflowError` when a bound is out of bounds.
    """

    __slots__ = ("_end", "_includes_end", "_includes_start", "_start")

    def __init__(
        self, start: int | None, end: int | None, *, includes_start: bool = True, includes_end: bool = False
    ) -> None:
        if start is None:
            includes_start = False
        elif not MIN_NS <= start <= MAX_NS:
            raise _overflow(format_timestamp(start))
        if end is None:
            includes_end = False
        elif not MIN_NS <= end <= MAX_NS:
            raise _overflow(format_timestamp(end))
        elif start is not None and end <= start and (end < start or not (includes_start and includes_end)):
            start = end = 0
            includes_start = includes_end = False
        self._start = start
        self._end = end
        self._includes_start = includes_start
        self._includes_end = includes_end

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read any form of a timerange (TIME-4 to TIME-14); a missing marker beside a timestamp is inclusive.

        Raises `TimeFormatError` for any other text, `TimeOverflowError` for a timestamp out of bounds.
        """
        match = _RANGE.fullmatch(text)
        if match is None:
            form = f"a timerange such as [0:0_10:0), [5:0], _ or () with timestamps {_STAMP_FORM}"
            _refuse(text, what=form, wide=_WIDE_RANGE)
        opening, sign, seconds, nanoseconds, separator, end_sign, end_seconds, end_nanoseconds, closing = match.groups()
        start = end = None
        if seconds is not None:
            start = int(seconds) * NS + int(nanoseconds)
            if sign:
                start = -start
        if end_seconds is not None:
            end = int(end_seconds) * NS + int(end_nanoseconds)
            if end_sign:
                end = -end
        if separator is None:
            # An instant or never: the one timestamp is both bounds, so an exclusive marker empties it (TIME-11, T-38).
            if start is None:
                return cls(0, 0)
            end = start
        return cls(start, end, includes_start=opening != "(", includes_end=closing != ")")

    @classmethod
    def instant(cls, ns: int) -> Self:
        """The range that holds one instant, `[t]`."""
        return cls(ns, ns, includes_end=True)

    @classmethod
    def half_open(cls, start_ns: int, end_ns: int) -> Self:
        """The range from `start_ns` up to, not including, `end_ns`; empty if that is not later."""
        return cls(start_ns, end_ns)

    @property
    def start(self) -> int | None:
        """The lower bound in nanoseconds; None if unbounded, 0 in the empty range."""
        return self._start

    @property
    def end(self) -> int | None:
        """The upper bound in nanoseconds; None if unbounded, 0 in the empty range."""
        return self._end

    @property
    def includes_start(self) -> bool:
        """Whether the lower bound itself belongs to the range."""
        return self._includes_start

    @property
    def includes_end(self) -> bool:
        """Whether the upper bound itself belongs to the range."""
        return self._includes_end

    @property
    def is_empty(self) -> bool:
        """Whether no instant at all lies in the range, `()`."""
        return self._start is not None and self._start == self._end and not self._includes_start

    @property
    def is_eternity(self) -> bool:
        """Whether every instant lies in the range, `_`."""
        return self._start is None and self._end is None

    @property
    def is_bounded(self) -> bool:
        """Whether the range has both bounds, as the empty range has."""
        return self._start is not None and self._end is not None

    @property
    def is_instant(self) -> bool:
        """Whether exactly one instant lies in the range, `[t]`."""
        return self._includes_start and self._start == self._end

    @property
    def duration_ns(self) -> int | None:
        """The length in nanoseconds, 0 for an instant and the empty range; None if unbounded."""
        if self._start is None or self._end is None:
            return None
        return self._end - self._start

    @property
    def sort_key(self) -> tuple[bool, int, bool, bool, int, bool]:
        """Orders ranges by where they begin, then by where they end, inclusivity honoured (TIME-16, T-44)."""
        start, end = self._start, self._end
        return (start is not None, start or 0, not self._includes_start, end is None, end or 0, self._includes_end)

    def overlaps(self, other: "TimeRange") -> bool:
        """Whether the ranges share an instant (TIME-16, TIME-17): touching is not enough, `()` overlaps nothing."""
        return not (self.is_empty or other.is_empty or self._precedes(other) or other._precedes(self))

    def contains(self, other: "TimeRange") -> bool:
        """Whether every instant of `other` lies in this range; `()` lies in every range."""
        if other.is_empty:
            return True
        return not self.is_empty and self._starts_no_later(other) and self._ends_no_earlier(other)

    def contains_instant(self, ns: int) -> bool:
        """Whether the instant `ns` lies in this range."""
        start, end = self._start, self._end
        after_start = start is None or start < ns or (start == ns and self._includes_start)
        return after_start and (end is None or ns < end or (ns == end and self._includes_end))

    def intersect(self, other: "TimeRange") -> "TimeRange":
        """The range of the instants that lie in both."""
        if self.is_empty or other.is_empty:
            return EMPTY
        starts = other if self._starts_no_later(other) else self
        ends = other if self._ends_no_earlier(other) else self
        return self._between(starts, ends)

    def hull(self, other: "TimeRange") -> "TimeRange":
        """The smallest range that covers both, and with them whatever lies between; `()` is neutral."""
        if self.is_empty:
            return other
        if other.is_empty:
            return self
        starts = self if self._starts_no_later(other) else other
        ends = self if self._ends_no_earlier(other) else other
        return self._between(starts, ends)

    def shift(self, ns: int) -> "TimeRange":
        """The same range `ns` nanoseconds later, as `ts_offset` moves media object times (TIME-19).

        Raises `TimeOverflowError` when a bound would leave the bounds. `()` and `_` stay as they are.
        """
        if self.is_empty:
            return self
        start = None if self._start is None else self._start + ns
        end = None if self._end is None else self._end + ns
        return TimeRange(start, end, includes_start=self._includes_start, includes_end=self._includes_end)

    @staticmethod
    def _between(starts: "TimeRange", ends: "TimeRange") -> "TimeRange":
        """From where `starts` begins to where `ends` ends."""
        return TimeRange(
            starts._start, ends._end, includes_start=starts._includes_start, includes_end=ends._includes_end
        )

    def _precedes(self, other: "TimeRange") -> bool:
        """Whether all of this range lies before all of `other`; neither may be empty."""
        end, start = self._end, other._start
        if end is None or start is None:
            return False
        return end < start or (end == start and not (self._includes_end and other._includes_start))

    def _starts_no_later(self, other: "TimeRange") -> bool:
        mine, its = self._start, other._start
        if mine is None or its is None:
            return mine is None
        return mine < its or (mine == its and (self._includes_start or not other._includes_start))

    def _ends_no_earlier(self, other: "TimeRange") -> bool:
        mine, its = self._end, other._end
        if mine is None or its is None:
            return mine is None
        return mine > its or (mine == its and (self._includes_end or not other._includes_end))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TimeRange):
            return NotImplemented
        return (
            self._start == other._start
            and self._end == other._end
            and self._includes_start == other._includes_start
            and self._includes_end == other._includes_end
        )

    def __hash__(self) -> int:
        return hash((self._start, self._end, self._includes_start, self._includes_end))

    def __str__(self) -> str:
        """The canonical form (TIME-15): `()`, `[t]`, else both bounds with their markers, none on an open end."""
        start, end = self._start, self._end
        if start is not None and start == end:
            return f"[{format_timestamp(start)}]" if self._includes_start else "()"
        left = "" if start is None else f"{'[' if self._includes_start else '('}{format_timestamp(start)}"
        right = "" if end is None else f"{format_timestamp(end)}{']' if self._includes_end else ')'}"
        return f"{left}_{right}"

    def __repr__(self) -> str:
        return f"TimeRange.parse({str(self)!r})"


EMPTY: Final = TimeRange(0, 0)
"""The range without any instant, `()`."""
ETERNITY: Final = TimeRange(None, None)
"""The whole time line, `_`."""


def _refuse(text: str, *, what: str, wide: re.Pattern[str]) -> NoReturn:
    """Raise for text that the strict pattern refused; `wide` is that pattern with any number of digits."""
    if wide.fullmatch(text):
        raise _overflow(text)
    readable = wide.match(text)
    offset = readable.end() if readable else 0
    found = f"{text[offset : offset + _EXCERPT]!r}" if offset < len(text) else "the end"
    raise TimeFormatError(f"expected {what}; in {_excerpt(text)} found {found} at offset {offset}")


def _overflow(text: str) -> TimeOverflowError:
    low, high = format_timestamp(MIN_NS), format_timestamp(MAX_NS)
    return TimeOverflowError(f"expected times from {low} to {high} (64-bit nanoseconds); {_excerpt(text)} lies beyond")


def _excerpt(text: str) -> str:
    return repr(text) if len(text) <= _EXCERPT else f"{text[:_EXCERPT]!r}…"
