"""Plain numbers of what attempts came to, from which metrics are made."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from typing import Final

from tams_common.clock import SECOND
from tams_webhooks.tables import AttemptRow, Outcome

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
"""Seconds: an attempt has 15 by default."""


class Tally:
    """Attempts that were written down: how many by `outcomes`, how many took how long by `buckets` (up to each of
    `BOUNDS`, and longer), and `seconds` in all."""

    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def count(self, attempts: Iterable[AttemptRow]) -> None:
        """Notes those of `attempts` that were made."""
        for attempt in attempts:
            if attempt.outcome != "skipped":
                latency = attempt.latency / SECOND
                self.outcomes[attempt.outcome] += 1
                self.buckets[bisect_left(BOUNDS, latency)] += 1
                self.seconds += latency
