"""When a failed delivery is tried again, when it is given up, and when a webhook has failed for too long."""

import random
from collections.abc import Callable
from typing import Final

import msgspec

from tams_common.clock import SECOND
from tams_common.errors import StartRefused

SPREAD: Final = 0.2
"""Each delay is drawn up to this part of it shorter or longer, so that flows parked together come back apart."""
_HOUR: Final = 3600 * SECOND
_OVERLOADED: Final = frozenset({429, 503})


class Schedule:
    """The tries that an event gets. `delays` are the seconds before each further one; `draw` gives 0 to 1."""

    def __init__(self, delays: tuple[float, ...], *, draw: Callable[[], float] = random.random) -> None:
        self._delays = delays
        self._draw = draw

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """Reads the configuration; raises `StartRefused` naming the key."""
        try:
            delays = tuple(float(part) for part in text.split(",")) if text else ()
        except ValueError:
            delays = (-1.0,)
        if not all(0 <= delay <= 30 * 86400 for delay in delays):
            raise StartRefused(
                f"configuration key TAMS_WEBHOOKS_DELAYS: {text!r} is not a list of seconds (0 to 30 days) with commas"
            )
        return cls(delays)

    @property
    def longest(self) -> float:
        """Seconds: no two tries of an event lie further apart by plan."""
        return max(self._delays, default=0.0) * (1 + SPREAD)

    def due(self, tries: int, *, now: int, retry_after: int | None = None) -> int | None:
        """When (ns) an event whose `tries` have failed is tried again: never before `retry_after` seconds have passed.

        None when all tries are used up.
        """
        if tries > len(self._delays):
            return None
        drawn = self._delays[tries - 1] * (1 + SPREAD * (2 * self._draw() - 1))
        return now + int(max(drawn, retry_after or 0) * SECOND)


def pause(status: int | None, retry_after: int | None) -> int:
    """For how many seconds a receiver that answered so wants nothing at all: overload is not about one event."""
    return retry_after or 0 if status in _OVERLOADED else 0


class Health(msgspec.Struct, frozen=True):
    """How a webhook fares: `failing_since` is the first failed attempt since the last success, 0 for none;
    `attempted_at` the latest attempt (ns)."""

    failing_since: int = 0
    attempted_at: int = 0

    def after(self, at: int, *, success: bool, gap: int) -> "Health":
        """With one more attempt, made `at` (ns). After more than `gap` ns without any, the count of time begins anew:
        nothing is known of a receiver that was not asked."""
        if success:
            return Health(0, at)
        kept = self.failing_since and at - self.attempted_at <= gap
        return Health(self.failing_since if kept else at, at)

    def has_failed(self, *, hours: int) -> bool:
        """Whether attempts went on for `hours` without a success (WHK-17)."""
        return self.failing_since > 0 and self.attempted_at - self.failing_since >= hours * _HOUR
