"""What is measured of the VAST store, and against what: the figures that the project promises for it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from tams_bench import stores
from tams_bench.corpus import BULK
from tams_bench.measure import Measure, Pair
from tams_bench.naive import Naive
from tams_bench.rows import PAGE
from tams_bench.stores import Operation, Operations, threaded

MANY: Final = 16
MOST: Final = 64


class Sizes(msgspec.Struct, frozen=True):
    """How much is measured: segments of the flow, seconds per measure on VAST DB and on SQLite."""

    length: int = 10_000
    seconds: float = 0.4
    embedded: float = 0.15


class Task(msgspec.Struct, frozen=True):
    """What `clients` do at once; each time it reads or writes `rows` rows, and counts as `counted` of `unit`."""

    name: str
    clients: int = 1
    rows: int = 1
    unit: str = "requests/s"
    counted: int = 1

    def of(self, clients: int) -> "Task":
        """The same by so many clients."""
        return msgspec.structs.replace(self, clients=clients)

    @property
    def title(self) -> str:
        """What the table calls it."""
        return f"{self.name}, {self.clients} client{'s' if self.clients > 1 else ''}"


LOOKUP: Final = Task("lookup")
WINDOW: Final = Task(f"page of {PAGE}", rows=PAGE)
SINGLE: Final = Task("single write", unit="commits/s")
APPEND: Final = Task("single write that first reads the head", unit="commits/s")
BULKS: Final = Task(f"bulk of {BULK}", rows=BULK, unit="segments/s", counted=BULK)


class Scenarios:
    """The pairs; all stores hold the same rows."""

    def __init__(self, ours: Operations, embedded: Operations, *, naive: Naive, sizes: Sizes) -> None:
        self._ours = ours
        self._embedded = embedded
        self._naive = naive
        self._sizes = sizes
        self._threads = ThreadPoolExecutor(MOST, thread_name_prefix="naive")

    def close(self) -> None:
        """Ends the naive clients' threads."""
        self._threads.shutdown()

    def pairs(self) -> list[Pair]:
        """What the project promises, with what stands beside it; then the same beside SQLite."""
        return [*self._promised(), *self._shown(), *self._beside_sqlite()]

    def _promised(self) -> Iterator[Pair]:
        ours, naive = self._ours, self._naive
        yield self._naively(LOOKUP, ours.lookup, naive=naive.lookup, wanted=2)
        yield self._naively(LOOKUP.of(MANY), ours.lookup, naive=naive.lookup, wanted=5)
        yield self._naively(WINDOW, ours.page, naive=naive.page, wanted=2)
        yield self._naively(WINDOW.of(MANY), ours.page, naive=naive.page, wanted=5)
        yield self._naively(SINGLE.of(MANY), ours.single, naive=naive.single, wanted=20)
        yield self._naively(SINGLE.of(MOST), ours.single, naive=naive.single, wanted=20)

    def _shown(self) -> Iterator[Pair]:
        ours, naive = self._ours, self._naive
        yield self._naively(SINGLE, ours.single, naive=naive.single)
        yield self._naively(APPEND.of(MANY), ours.append, naive=naive.single)
        yield self._naively(BULKS, ours.bulk, naive=naive.bulk)
        by_rows = self._rate(SINGLE, threaded(naive.single, self._threads))
        yield self._pair(BULKS, ours.bulk, reference=by_rows, against="naive SDK, row by row")

    def _beside_sqlite(self) -> Iterator[Pair]:
        ours, embedded = self._ours, self._embedded
        for task, mine, other in (
            (LOOKUP, ours.lookup, embedded.lookup),
            (LOOKUP.of(MANY), ours.lookup, embedded.lookup),
            (WINDOW, ours.page, embedded.page),
            (WINDOW.of(MANY), ours.page, embedded.page),
            (SINGLE.of(MANY), ours.single, embedded.single),
            (BULKS, ours.bulk, embedded.bulk),
        ):
            reference = self._rate(task, other, seconds=self._sizes.embedded)
            yield self._pair(task, mine, reference=reference, against="SQLite")

    def _naively(
        self, task: Task, ours: Operation, *, naive: Callable[[int], int], wanted: float | None = None
    ) -> Pair:
        reference = self._rate(task, threaded(naive, self._threads))
        return self._pair(task, ours, reference=reference, against="naive SDK", wanted=wanted)

    def _pair(
        self, task: Task, ours: Operation, *, reference: Measure, against: str, wanted: float | None = None
    ) -> Pair:
        mine = self._rate(task, ours)
        return Pair(
            name=task.title,
            ours=mine,
            reference=reference,
            unit=task.unit,
            wanted=wanted,
            against=against,
        )

    def _rate(self, task: Task, operation: Operation, *, seconds: float | None = None) -> Measure:
        async def measure() -> float:
            lasting = self._sizes.seconds if seconds is None else seconds
            return task.counted * await stores.rate(operation, clients=task.clients, seconds=lasting, rows=task.rows)

        return measure
