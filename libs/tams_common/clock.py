"""Time as an argument: services are given a clock, tests move one."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from tams_common.timerange import NS

Clock = Callable[[], int]
"""Returns nanoseconds since the Unix epoch, UTC."""

SECOND: Final = NS


def system_clock() -> int:
    """The machine's clock, in ns since the Unix epoch."""
    return time.time_ns()


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: int = 1_700_000_000 * NS) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, *, seconds: int = 0, ns: int = 0) -> None:
        """Moves the clock on."""
        self.now += seconds * NS + ns


def later(now: int, previous: int) -> int:
    """The moment to stamp on the next change of a key: `now`, yet always after the key's `previous` one (ns)."""
    return now if now > previous else previous + 1


def date_time(ns: int) -> str:
    """RFC 3339 in whole seconds with `Z`, as clients parse it: `2026-11-22T10:00:00Z` (GEN-10)."""
    return _date_time(ns // NS)


@lru_cache(maxsize=256)
def _date_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
