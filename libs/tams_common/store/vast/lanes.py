"""Requests of one transaction that do not wait for each other."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final, TypeVar

T = TypeVar("T")

_LANES: Final = 4
"""The most requests of one transaction at once."""


class Lanes:
    """Steps side by side, each of which makes requests one after another; the first one on the thread that asks."""

    def __init__(self, name: str) -> None:
        self._threads = ThreadPoolExecutor(_LANES - 1, thread_name_prefix=f"{name}-lane")

    def run(self, steps: Sequence[Callable[[], T]]) -> list[T]:
        """What each step returns, when all have ended; raises the error of the first one that failed."""
        others = [self._threads.submit(step) for step in steps[1:]]
        try:
            first = [step() for step in steps[:1]]
        finally:
            wait(others)
        return first + [other.result() for other in others]

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown()
