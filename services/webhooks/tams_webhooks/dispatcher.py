"""Spreads the lanes over the replicas and keeps this replica's ones running (architecture 4.5)."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final
from zlib import crc32

import structlog
from msgspec import Struct
from msgspec.structs import replace

from tams_common.bus.backoff import Backoff
from tams_common.clock import SECOND
from tams_common.errors import Conflict, Unavailable
from tams_common.leases import LEASES, LeaseRow, Watch
from tams_common.store import Query, Reader, StartsWith, Tx
from tams_webhooks import settling
from tams_webhooks.lane import Lane, Tools
from tams_webhooks.settling import LIVE
from tams_webhooks.tables import LANES, WEBHOOKS, LaneRow

REPLICA: Final = "replica:"
"""Begins the names of the rows with which replicas show that they live."""
DRAIN: Final = 5.0
"""Seconds for requests in progress when the service stops."""
_FORGOTTEN: Final = 3600 * SECOND
_log = structlog.get_logger(__name__)


class View(Struct, frozen=True):
    """What all replicas see: the rows by which they show that they live, and for each lane who has it until when, and
    the version of its row.

    `live` are the webhooks that are sent events, `versions` those of all webhooks, `statuses` how many have which.
    """

    replicas: Sequence[LeaseRow]
    lanes: Mapping[str, tuple[str, int, int]]
    live: frozenset[str]
    versions: Mapping[str, int]
    statuses: Mapping[str, int]


class Dispatcher:
    """Holds a fair share of the lanes by leases, and runs each as a task; `close` is called when all have ended.

    `statuses` says how many webhooks of the store had which status when it was last looked.
    """

    def __init__(self, tools: Tools, *, close: Callable[[], Awaitable[None]]) -> None:
        self._tools = tools
        self._close = close
        self._lease = int(tools.config.lease * SECOND)
        self._lanes: dict[str, Lane] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._asked = asyncio.Event()
        self._watch = Watch(tools.config.lease)
        self._beaten = -math.inf
        self.statuses: Mapping[str, int] = {}

    @property
    def lanes(self) -> Collection[Lane]:
        """Those that this replica holds."""
        return self._lanes.values()

    def changed(self, webhook_id: str) -> None:
        """A webhook was made, changed or removed in this process: from now on nothing is sent to it as it was."""
        lane = self._lanes.get(webhook_id)
        if lane is not None:
            lane.outdate()
        self._asked.set()

    def prompt(self) -> None:
        """There is something to do in a lane: look now. To forget it costs time only."""
        self._asked.set()

    async def run(self) -> None:
        """Dispatches until cancelled, then finishes what is on its way and leaves the lanes to others."""
        try:
            async with asyncio.TaskGroup() as group:
                try:
                    group.create_task(self._follow())
                    await self._sweep_for_ever(group)
                except asyncio.CancelledError:
                    await self._drain()
                    raise
        finally:
            await self._close()

    async def _sweep_for_ever(self, group: asyncio.TaskGroup) -> None:
        backoff = Backoff()
        while True:
            self._asked.clear()
            try:
                await self._sweep(group)
            except (Unavailable, Conflict) as error:
                _log.warning("lanes are not looked after", reason=error.detail)
                await asyncio.sleep(backoff.next())
                continue
            backoff.reset()
            try:
                async with asyncio.timeout(self._tools.config.sweep):
                    await self._asked.wait()
            except TimeoutError:
                continue

    async def _follow(self) -> None:
        """Tells the lanes of what is new."""
        window, seen = self._tools.window, 0
        while True:
            await window.beyond(seen)
            seen = window.last
            for webhook_id, lane in self._lanes.items():
                lane.notice(window.versions.get(webhook_id, 0))
                lane.prompt()

    async def _sweep(self, group: asyncio.TaskGroup) -> None:
        now = self._tools.clock()
        if time.monotonic() - self._beaten >= self._tools.config.lease / 3:
            await self._beat(now)
        view = await self._tools.store.read(self._view)
        self.statuses = view.statuses
        for webhook_id, lane in self._lanes.items():
            lane.notice(view.versions.get(webhook_id, 0))
            lane.notice_lane(view.lanes[webhook_id][2] if webhook_id in view.lanes else None)
            lane.tick()
        mine = [webhook_id for webhook_id, lane in self._lanes.items() if not lane.is_ending]
        abandoned = self._watch.abandoned(
            {row.name: row.version for row in view.replicas}
            | {webhook_id: version for webhook_id, (_, _, version) in view.lanes.items()}
        )
        others = sum(
            row.owner != self._tools.owner and row.until > now and row.name not in abandoned for row in view.replicas
        )
        share = math.ceil(sum(webhook_id in view.live for webhook_id in view.lanes) / (others + 1))
        for webhook_id in self._by_liking(mine)[share:]:
            self._lanes[webhook_id].stop()
        free = [
            webhook_id
            for webhook_id, (owner, until, _) in view.lanes.items()
            if (until <= now or owner == self._tools.owner or webhook_id in abandoned)
            and webhook_id in view.live
            and webhook_id not in self._lanes
        ]
        if free and share > len(mine):
            chosen = self._by_liking(free)[: share - len(mine)]
            await self._take({webhook_id: view.lanes[webhook_id][2] for webhook_id in chosen}, group)

    async def _take(self, seen: Mapping[str, int], group: asyncio.TaskGroup) -> None:
        until, owner = self._tools.clock() + self._lease, self._tools.owner

        def take(tx: Tx) -> list[LaneRow]:
            return settling.take(tx, seen, owner=owner, until=until)

        for row in await self._tools.store.run(take):
            webhook_id = row.webhook_id
            lane = self._lanes[webhook_id] = Lane(webhook_id, self._tools)
            self._tasks[webhook_id] = group.create_task(self._run_lane(lane))

    async def _run_lane(self, lane: Lane) -> None:
        try:
            await lane.run()
        finally:
            del self._lanes[lane.webhook_id], self._tasks[lane.webhook_id]
            self._asked.set()

    async def _beat(self, now: int) -> None:
        """Shows that this replica lives, and renews all its leases in one transaction."""
        until = now + self._lease
        weak = [webhook_id for webhook_id, lane in self._lanes.items() if lane.is_weak]

        def beat(tx: Tx) -> list[LaneRow]:
            self._show(tx, now=now, until=until)
            return settling.prolong(tx, weak, owner=self._tools.owner, until=until)

        rows = {row.webhook_id: row for row in await self._tools.store.run(beat)}
        self._beaten = time.monotonic()
        for webhook_id in weak:
            if webhook_id in self._lanes:
                self._lanes[webhook_id].renewed(rows.get(webhook_id))

    def _show(self, tx: Tx, *, now: int, until: int) -> None:
        name = REPLICA + self._tools.owner
        rows = _replicas(tx)
        own = next((row for row in rows if row.name == name), None)
        if own is None:
            tx.insert(LEASES, [LeaseRow(name, self._tools.owner, until, 1)])
        else:
            tx.update(LEASES, [replace(own, until=until, version=own.version + 1)], expect=[own.version])
        tx.delete(LEASES, [(row.name,) for row in rows if row.until < now - _FORGOTTEN and row is not own])

    def _view(self, reader: Reader) -> View:
        lanes = reader.select(LANES, ("webhook_id", "owner", "until", "version"), query=Query()).rows
        webhooks = reader.select(WEBHOOKS, ("id", "status", "version"), query=Query()).rows
        return View(
            replicas=_replicas(reader),
            lanes={
                str(lane): (str(owner), int(until or 0), int(version or 0)) for lane, owner, until, version in lanes
            },
            live=frozenset(str(webhook_id) for webhook_id, status, _ in webhooks if status in LIVE),
            statuses=Counter(str(status) for _, status, _ in webhooks),
            versions={str(webhook_id): int(version or 0) for webhook_id, _, version in webhooks},
        )

    def _by_liking(self, webhook_ids: list[str]) -> list[str]:
        """In an order that each replica has for itself, so that they seldom reach for the same."""
        return sorted(webhook_ids, key=lambda webhook_id: crc32(f"{self._tools.owner}{webhook_id}".encode()))

    async def _drain(self) -> None:
        for lane in self._lanes.values():
            lane.stop()
        try:
            async with asyncio.timeout(DRAIN):
                if self._tasks:
                    await asyncio.wait(self._tasks.values())
                await self._tools.store.run(self._leave)
        except (TimeoutError, Unavailable, Conflict) as error:
            _log.warning("lanes are left to run out", reason=str(error))

    def _leave(self, tx: Tx) -> None:
        tx.delete(LEASES, [(REPLICA + self._tools.owner,)])


def _replicas(reader: Reader) -> list[LeaseRow]:
    return reader.scan(LEASES, Query((StartsWith("name", REPLICA),))).rows
