"""One lane: the deliveries to one webhook, by the one replica that holds its lease (architecture 4.5, 4.6)."""

import asyncio
from typing import Final

import structlog
from msgspec import Struct

from tams_common.bus.backoff import Backoff
from tams_common.clock import SECOND, Clock
from tams_common.errors import BadGateway, Conflict, GatewayTimeout, Unavailable
from tams_common.store import Store, Tx
from tams_webhooks import settling
from tams_webhooks.attempts import Attempts
from tams_webhooks.batch import MOST_BYTES, Room
from tams_webhooks.books import UNKNOWN, Books, Entry
from tams_webhooks.chains import Chain
from tams_webhooks.config import WebhooksConfig
from tams_webhooks.courier import Courier, Target
from tams_webhooks.dressing import Dresser
from tams_webhooks.picking import Picker
from tams_webhooks.replaying import Replaying
from tams_webhooks.retry import Schedule
from tams_webhooks.settling import LIVE
from tams_webhooks.tables import AttemptRow, LaneRow
from tams_webhooks.tally import Tally
from tams_webhooks.window import Window

CHAINS: Final = 4
"""Chains in memory for each request that may run at once."""
TURN: Final = 0.25
"""Seconds after which what was done is written down and further events are looked for, though some requests run on."""
LAG: Final = 1.0
"""Seconds between writes that only move the cursor past events that the webhook does not get."""
_LATER: Final = (Unavailable, BadGateway, GatewayTimeout, Conflict)
_log = structlog.get_logger(__name__)


class Lost(Exception):
    """The lane belongs to somebody else, or its webhook is gone: what is still known here must not be written."""


class Tools(Struct, frozen=True, kw_only=True):
    """What all lanes of a replica share; `owner` names the replica in the tables."""

    store: Store
    window: Window
    courier: Courier
    dresser: Dresser
    schedule: Schedule
    config: WebhooksConfig
    clock: Clock
    owner: str
    tally: Tally


class Lane:
    """Reads on from the cursor, delivers, and writes down what came of it, turn by turn.

    Each key (flow or source) has one chain at a time. What has not ended within a turn is written down as waiting, so
    that the cursor can go on; its chain goes on, too.
    """

    def __init__(self, webhook_id: str, tools: Tools) -> None:
        self.webhook_id = webhook_id
        self._tools = tools
        self._attempts = Attempts(
            webhook_id, tools.courier, schedule=tools.schedule, clock=tools.clock, at_once=tools.config.lane_concurrency
        )
        self._books = Books(gap=int(2 * tools.schedule.longest * SECOND))
        self._picker = Picker(webhook_id, tools.window, dresser=tools.dresser, store=tools.store, clock=tools.clock)
        self._replaying = Replaying(self._attempts, tools.dresser, store=tools.store, clock=tools.clock)
        self._target: Target | None = None
        self._running: dict[Chain, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._is_stale = True
        self._is_held = False
        self._is_unsure = False
        self._written = 0.0
        self._renewed = asyncio.get_running_loop().time()

    @property
    def is_ending(self) -> bool:
        """Whether nothing more is started here."""
        return self._attempts.stopped

    @property
    def is_weak(self) -> bool:
        """Whether the lease is to be renewed: a third of it is over, or its end is nowhere near what the clock says."""
        left, lease = self._attempts.until - self._tools.clock(), self._tools.config.lease
        return asyncio.get_running_loop().time() - self._renewed > lease / 3 or not 0 < left <= lease * SECOND

    @property
    def parked(self) -> int:
        """How many flows wait."""
        return len(self._books.parked)

    @property
    def waits_since(self) -> int:
        """When (ns) the oldest event arrived that has still to be looked at or delivered, 0 for none."""
        places = {chain.key: chain.place(self.webhook_id) for chain in self._running}
        waiting = [place.appended for place in (self._books.parked | places).values() if place is not None]
        return min(filter(None, [*waiting, self._picker.following(self._books.cursor)]), default=0)

    async def run(self) -> None:
        """Delivers until stopped, until the webhook is not to be sent anything, or until the lane is lost."""
        backoff = Backoff(most=5.0)
        try:
            while not self._is_over:
                self._wake.clear()
                try:
                    if not await self._turn():
                        await self._wake.wait()
                    backoff.reset()
                except _LATER as error:
                    _log.warning("deliveries wait", webhook=self.webhook_id, reason=error.detail)
                    await asyncio.sleep(backoff.next())
        except Lost:
            _log.info("webhook changed or taken over", webhook=self.webhook_id)
        finally:
            tasks = self._tasks
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def prompt(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def stop(self) -> None:
        """Starts nothing more; the lane is given back when what runs has ended."""
        self._attempts.stopped = True
        self._wake.set()

    def notice(self, webhook_version: int) -> None:
        """The webhook has this version."""
        if self._target is not None and webhook_version > self._target.version:
            self.outdate()

    def outdate(self) -> None:
        """The webhook was changed or removed: what was prepared for it as it was is not sent."""
        self._attempts.target = self._target = None
        self._is_stale = True
        self._wake.set()

    def notice_lane(self, version: int | None) -> None:
        """The lane's row has this version, None without one: a later one than known here was written by others."""
        if version is None:
            self.outdate()
        elif version > self._books.row.version:
            self._is_stale = True
            self._wake.set()

    def renewed(self, row: LaneRow | None) -> None:
        """The lease was renewed, or with None was not: the lane is no longer this replica's."""
        if row is None or not self._books.advance(row):
            self._is_stale = True
            self._wake.set()
        if row is not None:
            self._hold()

    def tick(self) -> None:
        """Wakes the lane when something is due, when it could not start anything, or its cursor is only in memory."""
        now, busy = self._tools.clock(), {chain.key for chain in self._running}
        due = [row.due for key, row in self._books.parked.items() if key not in busy]
        if self._replaying.due is not None:
            due.append(self._replaying.due)
        if self._is_held or min(due, default=now + 1) <= now or self._books.cursor != self._books.row.cursor:
            self._wake.set()

    @property
    def _tasks(self) -> list[asyncio.Task[None]]:
        return [*self._running.values(), *([] if self._replaying.task is None else [self._replaying.task])]

    @property
    def _is_over(self) -> bool:
        return self.is_ending and self._books.row.until == 0 and self._books.row is not UNKNOWN

    async def _turn(self) -> bool:
        """Writes down what was done, then starts what comes next; whether there may be more."""
        if self._is_unsure:
            await self._load()
        await self._settle()
        if self._is_over:
            return True
        if self._is_stale:
            await self._load()
        if self.is_ending:
            if self._tasks:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            return True
        self._is_held = not self._attempts.may_start()
        if self._is_held or self._target is None:
            return False
        self._replaying.begin(self._target, done=self._wake.set)
        return await self._deliver(self._target)

    async def _deliver(self, target: Target) -> bool:
        """Starts chains for what is due and what follows, and waits for them, for a while."""
        config, books = self._tools.config, self._books
        space = CHAINS * config.lane_concurrency - len(self._running)
        if space <= 0:
            return False
        busy = {chain.key for chain in self._running}
        room = Room(space, config.lane_batch, MOST_BYTES)
        picked = await self._picker.pick(target, books, busy=busy, room=room)
        if picked.is_outdated:
            self.outdate()
            return True
        for chain in self._running:
            chain.passed = chain.passed or chain.key in picked.passed
        if picked.skipped:
            books.notes.append(self._note(picked.skipped))
        moved = picked.cursor != books.cursor
        books.cursor = picked.cursor
        begun = [self._start(chain) for chain in picked.chains]
        if begun:
            await asyncio.wait(begun, timeout=TURN)
        return moved or bool(begun)

    def _start(self, chain: Chain) -> asyncio.Task[None]:
        task = asyncio.create_task(chain.run(self._attempts))
        task.add_done_callback(lambda _: self._wake.set())
        self._running[chain] = task
        return task

    def _hold(self) -> None:
        """The lease was renewed: its end is what the latest row says, also if that is earlier than it was before."""
        self._attempts.until = self._books.row.until
        self._renewed = asyncio.get_running_loop().time()

    async def _load(self) -> None:
        """Reads everything of the webhook; raises `Lost`."""
        loaded = await self._tools.store.read(lambda tx: settling.load(tx, self.webhook_id))
        row, webhook = loaded.lane, loaded.webhook
        if row is None or webhook is None or row.owner != self._tools.owner:
            raise Lost
        self._is_stale = False
        self._books.adopt(row, loaded.parked)
        self._replaying.adopt(loaded.replays, loaded.replay_parked)
        self._attempts.until = row.until
        self._attempts.last = max(self._attempts.last, row.attempted_at)
        if webhook.status not in LIVE:
            self.stop()
        elif self._target is None or self._target.version != webhook.version:
            self._target = self._attempts.target = self._tools.courier.target(webhook)

    async def _settle(self) -> None:
        """Writes down what was done; raises `Lost`."""
        if self._books.row is UNKNOWN:
            return
        self._replaying.collect()
        finished = [chain for chain, task in self._running.items() if task.done()]
        for chain in finished:
            self._running[chain].result()
        now = self._tools.clock()
        is_last = self.is_ending and len(finished) == len(self._running) and self._replaying.task is None
        until = 0 if is_last else now + int(self._tools.config.lease * SECOND)
        entry = self._books.entry(self._running.keys(), self._replaying, until=until)
        if not self._is_worth_writing(entry):
            for chain in finished:
                del self._running[chain]
            return
        await self._write(entry, now=now)
        for chain in finished:
            del self._running[chain]
        if finished:
            self._picker.freed()

    async def _write(self, entry: Entry, *, now: int) -> None:
        failure, again = self._failure(entry), self._is_unsure

        def write(tx: Tx) -> LaneRow | None:
            row = settling.settle(tx, self.webhook_id, step=entry.step, owner=self._tools.owner, again=again)
            if row is not None and failure:
                settling.fail(tx, self.webhook_id, summary=failure, now=now)
            return row

        self._is_unsure = True
        written = await self._tools.store.run(write)
        self._is_unsure = False
        if written is None:
            raise Lost
        self._books.wrote(entry)
        self._tools.tally.count(entry.step.attempts)
        self._replaying.written(entry.step.replay)
        self._is_stale = not self._books.advance(written) or self._is_stale
        self._hold()
        self._written = asyncio.get_running_loop().time()
        if failure:
            _log.warning("webhook failed", webhook=self.webhook_id, reason=failure)
            self.stop()

    def _is_worth_writing(self, entry: Entry) -> bool:
        step = entry.step
        if step.attempts or step.parked or step.replay or step.until == 0:
            return True
        return step.cursor != self._books.row.cursor and self._written + LAG <= asyncio.get_running_loop().time()

    def _failure(self, entry: Entry) -> str:
        """Why the webhook is to be stopped, empty to go on."""
        hours = self._tools.config.error_after
        if self._attempts.gone:
            return "the receiver answered 410 Gone: it wants no events any more"
        errors = [attempt.error for attempt in entry.step.attempts if attempt.outcome in ("retrying", "failed")]
        if errors and entry.step.health.has_failed(hours=hours):
            return f"no delivery has succeeded for {hours} hours; the last error: {errors[-1]}"
        return ""

    def _note(self, what: str) -> AttemptRow:
        _log.warning("events skipped", webhook=self.webhook_id, reason=what)
        return AttemptRow(
            webhook_id=self.webhook_id,
            at=self._attempts.moment(),
            number=0,
            event_id="",
            event_type="",
            key="",
            tries=0,
            outcome="skipped",
            status=None,
            latency=0,
            error=what,
            due=0,
        )
