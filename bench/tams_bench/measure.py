"""Interleaved rounds: each round measures ours and the reference next to each other; what counts is the ratio."""

import statistics
from collections.abc import Awaitable, Callable, Sequence

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One line of the table. `ratio` holds one value per round; `wanted` is the bound, `at_least` its direction.

    Without a bound it is shown for information.
    """

    name: str
    ours: list[float]
    reference: list[float]
    unit: str
    wanted: float | None
    at_least: bool = True
    against: str = ""

    @property
    def ratios(self) -> list[float]:
        """Ours divided by the reference, round by round."""
        return [a / b for a, b in zip(self.ours, self.reference, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return statistics.median(self.ratios)

    @property
    def holds(self) -> bool:
        """Whether the median meets the bound, if there is one."""
        if self.wanted is None:
            return True
        return self.ratio >= self.wanted if self.at_least else self.ratio <= self.wanted


Measure = Callable[[], Awaitable[float]]


class Pair(msgspec.Struct, frozen=True):
    """A scenario: how to measure ours and the reference once."""

    name: str
    ours: Measure
    reference: Measure
    unit: str
    wanted: float | None
    at_least: bool = True
    against: str = ""


async def interleave(pairs: Sequence[Pair], rounds: int, *, progress: Callable[[str], None]) -> list[Figure]:
    """Measures every pair once per round, the order within a pair alternating."""
    ours: list[list[float]] = [[] for _ in pairs]
    reference: list[list[float]] = [[] for _ in pairs]
    for number in range(rounds):
        for place, pair in enumerate(pairs):
            progress(f"round {number + 1}/{rounds}: {pair.name}")
            steps = [(ours, pair.ours), (reference, pair.reference)]
            for results, measure in steps if number % 2 == 0 else reversed(steps):
                results[place].append(await measure())
    return [
        Figure(
            name=pair.name,
            ours=ours[place],
            reference=reference[place],
            unit=pair.unit,
            wanted=pair.wanted,
            at_least=pair.at_least,
            against=pair.against,
        )
        for place, pair in enumerate(pairs)
    ]
