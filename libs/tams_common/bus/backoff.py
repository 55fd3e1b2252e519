"""How long to wait for something that is down: longer each time, never in step with others."""

import random
from collections.abc import Callable
from typing import Final

FIRST: Final = 0.1
MOST: Final = 30.0


class Backoff:
    """Delays that double from `first` to `most` seconds; each is drawn between half of that and all of it."""

    def __init__(self, first: float = FIRST, most: float = MOST, *, draw: Callable[[], float] = random.random) -> None:
        self._first = first
        self._most = most
        self._draw = draw
        self._whole = first

    def next(self) -> float:
        """Seconds to wait before the next try."""
        whole, self._whole = self._whole, min(self._whole * 2, self._most)
        return whole * (0.5 + self._draw() / 2)

    def reset(self) -> None:
        """After a success the next delay is a short one again."""
        self._whole = self._first
