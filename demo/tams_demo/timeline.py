"""Exact media time: rational seconds inside, integer nanoseconds and the specification's text on the wire."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

NANOSECONDS: Final = 1_000_000_000
"""Nanoseconds in a second."""
CLOCK: Final = 90_000
"""Ticks a second of the clock in an MPEG transport stream."""
WRAP: Final = 2**33
"""Ticks after which that clock starts again at zero (26.5 hours)."""

_STAMP: Final = re.compile(r"(-?)(0|[1-9][0-9]*):(0|[1-9][0-9]{0,8})")
_SPAN: Final = re.compile(r"\[([^_]+)_([^_]+)\)")


def nearest(time: Fraction, rate: int) -> int:
    """`time` in whole units of 1/`rate` seconds, halves upwards."""
    return (2 * time.numerator * rate + time.denominator) // (2 * time.denominator)


def nanoseconds(time: Fraction) -> int:
    """`time` in seconds, rounded to the nanosecond that the specification can express."""
    return nearest(time, NANOSECONDS)


def write_timestamp(ns: int) -> str:
    """The specification's text for `ns` nanoseconds, such as `-1:500000000`."""
    seconds, rest = divmod(abs(ns), NANOSECONDS)
    return f"{'-' if ns < 0 else ''}{seconds}:{rest}"


def read_timestamp(text: str) -> int:
    """Nanoseconds from the specification's text; raises `ValueError` for anything else."""
    match = _STAMP.fullmatch(text)
    if match is None:
        raise ValueError(f"not a timestamp: {text!r}")
    sign, seconds, rest = match.groups()
    ns = int(seconds) * NANOSECONDS + int(rest)
    return -ns if sign else ns


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open timerange `[start_end)` in nanoseconds: what media with durations covers."""

    start: int
    end: int

    @classmethod
    def read(cls, text: str) -> "Span":
        """The span that `text` writes with both bounds; raises `ValueError` for any other timerange."""
        match = _SPAN.fullmatch(text)
        if match is None:
            raise ValueError(f"not a timerange of the form [start_end): {text!r}")
        return cls(read_timestamp(match[1]), read_timestamp(match[2]))

    def __str__(self) -> str:
        return f"[{write_timestamp(self.start)}_{write_timestamp(self.end)})"

    @property
    def length(self) -> int:
        """Nanoseconds from start to end."""
        return self.end - self.start

    def overlaps(self, other: "Span") -> bool:
        """Whether some instant lies in both."""
        return self.start < other.end and other.start < self.end
