"""Makes the copies that were asked for: one worker of all replicas, several copies at a time (INS-1)."""

import asyncio
from collections.abc import Iterator
from typing import Final

import msgspec
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from tams_common.bus.backoff import Backoff
from tams_common.clock import SECOND, Clock
from tams_common.errors import Conflict, Unavailable
from tams_common.leases import Lease, LeaseLost
from tams_common.store import Store
from tams_common.store.table import Key
from tams_segments.copier import Copier
from tams_segments.copy_jobs import Backlog, backlog
from tams_segments.tables import COPIES

LEASE: Final = "copies"
_log = structlog.get_logger(__name__)

Running = dict[Key, "asyncio.Task[None]"]


class CopyPace(msgspec.Struct, frozen=True):
    """How many copies are made at a time, and how often (s) to look for those that nobody told of."""

    parallel: int
    interval: float


class CopyWorker:
    """Keeps as many copies going as may be, the longest due ones first, while it has the lease."""

    def __init__(self, store: Store, copier: Copier, *, lease: Lease, clock: Clock, pace: CopyPace) -> None:
        self._store = store
        self._copier = copier
        self._lease = lease
        self._clock = clock
        self._pace = pace
        self._asked = asyncio.Event()
        self._backoff = Backoff()
        self.running = 0
        self.backlog = Backlog()

    def prompt(self) -> None:
        """There is something to do."""
        self._asked.set()

    async def run(self) -> None:
        """Works until cancelled, then leaves the rest to others."""
        try:
            while True:
                await self._turn()
        except asyncio.CancelledError:
            await self._leave()
            raise
        finally:
            await self._copier.close()

    async def sweep(self) -> None:
        """Works on everything that is due until nothing is left to do, or another worker has the lease."""
        running: Running = {}
        try:
            while await self._start(running):
                await self._rest(self._lease.seconds / 3)
        finally:
            for task in running.values():
                task.cancel()
            await asyncio.gather(*running.values(), return_exceptions=True)
            self.running = 0

    async def _start(self, running: Running) -> bool:
        """Starts what is due as far as there is room; whether anything is under way, by the lease."""
        self._asked.clear()
        for key in [key for key, task in running.items() if task.done()]:
            running.pop(key).result()
        # Of twice as many jobs as may run at least half are not running yet.
        limit = 2 * self._pace.parallel
        self.backlog = await self._store.read(lambda tx: backlog(tx, now=self._clock(), limit=limit), bounded=True)
        fresh = [job for job in self.backlog.due if COPIES.key_of(job) not in running]
        if not (fresh or running) or not await self._store.run(self._lease.take):
            return False
        for job in fresh[: self._pace.parallel - len(running)]:
            task = running[COPIES.key_of(job)] = asyncio.create_task(self._copier.make(job))
            task.add_done_callback(lambda _: self._asked.set())
        self.running = len(running)
        return True

    async def _turn(self) -> None:
        try:
            await self.sweep()
        except LeaseLost:
            _log.info("copies go on elsewhere")
        except (Unavailable, Conflict) as error:
            _log.warning("copies wait", reason=error.detail)
            await asyncio.sleep(self._backoff.next())
            return
        self._backoff.reset()
        await self._rest(self._pace.interval)

    async def _rest(self, seconds: float) -> None:
        """Until something may have changed, for that long at most."""
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            return

    async def _leave(self) -> None:
        try:
            await self._store.run(self._lease.release)
        except (Unavailable, Conflict) as error:
            _log.warning("copies wait until the lease has lapsed", reason=error.detail)


class CopyMetrics(Collector):
    """Tells how copying goes, whenever it is asked. Jobs are counted as far as the worker has looked."""

    def __init__(self, registry: CollectorRegistry, worker: CopyWorker, *, copier: Copier, clock: Clock) -> None:
        self._worker = worker
        self._copier = copier
        self._clock = clock
        registry.register(self)

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """The metrics as the registry wants them."""
        sums, oldest = self._copier.sums, self._worker.backlog.oldest
        yield CounterMetricFamily("tams_copies_made", "Copies that are shown now", value=sums["made"])
        yield CounterMetricFamily("tams_copies_failed", "Attempts that are tried again", value=sums["failed"])
        yield CounterMetricFamily("tams_copies_given_up", "Copies nobody wants any more", value=sums["given_up"])
        yield CounterMetricFamily("tams_copied_bytes", "Bytes written by copying", value=sums["bytes"])
        yield GaugeMetricFamily("tams_copies_running", "Copies that are being made", value=self._worker.running)
        age = (self._clock() - oldest) / SECOND if oldest else 0
        yield GaugeMetricFamily("tams_copies_oldest_seconds", "How long the oldest due copy waits", value=max(age, 0))
