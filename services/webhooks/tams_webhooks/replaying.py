"""Events that were asked for once more: further cursors of a lane, beside the live one."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import asdict, replace

from tams_common.clock import SECOND, Clock
from tams_common.errors import BadGateway, Conflict, GatewayTimeout, Unavailable
from tams_common.store import Store
from tams_webhooks.attempts import Attempts
from tams_webhooks.batch import MOST_PARKED
from tams_webhooks.chains import Chain, chains_of
from tams_webhooks.courier import Target
from tams_webhooks.dressing import Dresser
from tams_webhooks.preparing import prepare
from tams_webhooks.replay_reading import CHUNK, Chunk, Question, failed_numbers
from tams_webhooks.settling import Progress
from tams_webhooks.tables import ParkedRow, ReplayParkedRow, ReplayRow

_LATER: Final = (Unavailable, BadGateway, GatewayTimeout, Conflict)


class Plan(Struct, frozen=True):
    """What the next step of a replay can do: from the moment `due` (ns) on. `held` are the flows that older replays
    have parked, with the moments at which these are due."""

    row: ReplayRow
    due: int
    reads_on: bool
    held: Mapping[str, int]


class Replaying:
    """Delivers the replays of one lane: the oldest first, and of the others what waits meanwhile, in the order of every
    key.

    An event that fails parks its flow in the replay, as one does in the lane, and nothing else. `news` is to be
    written; `task` is what runs.
    """

    def __init__(self, attempts: Attempts, dresser: Dresser, *, store: Store, clock: Clock) -> None:
        self.task: asyncio.Task[None] | None = None
        self.news: Progress | None = None
        self._attempts = attempts
        self._dresser = dresser
        self._store = store
        self._clock = clock
        self._open: list[ReplayRow] = []
        self._parked: dict[str, dict[str, ReplayParkedRow]] = {}
        self._failed: dict[str, list[int]] = {}
        self._rests_until = 0

    @property
    def due(self) -> int | None:
        """When (ns) the next step can be made; None while nothing waits."""
        if self.task is not None or self.news is not None:
            return None
        soonest = min((plan.due for plan in self._plans()), default=None)
        return None if soonest is None else max(soonest, self._rests_until)

    def adopt(self, rows: Sequence[ReplayRow], parked: Sequence[ReplayParkedRow]) -> None:
        """These are open, and so much of them waits; what is known here of one of them is newer."""
        known = {row.id: row for row in self._open}
        if self.news is not None:
            known[self.news.row.id] = self.news.row
        self._open = [row for row in (known.get(row.id, row) for row in rows) if not row.is_over]
        stored: dict[str, dict[str, ReplayParkedRow]] = {row.id: {} for row in self._open}
        for each in parked:
            if each.replay_id in stored:
                stored[each.replay_id][each.key] = each
        self._parked = stored | {id: self._parked[id] for id in stored if id in known}
        self._failed = {id: numbers for id, numbers in self._failed.items() if id in stored}

    def begin(self, target: Target, *, done: Callable[[], None]) -> None:
        """Starts the next step if one is due; `done` is called at its end."""
        now = self._clock()
        if self.due is None or self.due > now:
            return
        plan = next(plan for plan in self._plans() if plan.due <= now)
        self.task = asyncio.create_task(self._step(plan, target, now=now))
        self.task.add_done_callback(lambda _: done())

    def collect(self) -> None:
        """Forgets a task that has ended; raises what it raised."""
        if self.task is not None and self.task.done():
            task, self.task = self.task, None
            task.result()

    def written(self, progress: Progress | None) -> None:
        """So much is in the tables; what a step has brought meanwhile is still to be written."""
        if self.news is progress:
            self.news = None

    def _plans(self) -> Iterator[Plan]:
        """What can be done: one replay reads on after the other, and what waits in any of them is tried when it is due,
        yet not before what an older one has of the same flow."""
        held: dict[str, int] = {}
        is_first = True
        for row in self._open:
            own = self._parked[row.id]
            reads_on = is_first and row.cursor < row.end and len(own) < MOST_PARKED
            moments = [each.due for key, each in own.items() if key not in held]
            if reads_on:
                moments.append(0)
            if moments:
                yield Plan(row, min(moments), reads_on, dict(held))
            is_first = is_first and row.cursor >= row.end
            held |= {key: each.due for key, each in own.items()}

    async def _step(self, plan: Plan, target: Target, *, now: int) -> None:
        row, own = plan.row, self._parked[plan.row.id]
        due = [each for key, each in own.items() if each.due <= now and key not in plan.held]
        due = sorted(due, key=lambda each: each.due)[:CHUNK]
        try:
            if row.kind == "failed" and row.id not in self._failed:
                self._failed[row.id] = await failed_numbers(self._store, row)
            question = Question(
                row=row,
                filters=target.filters,
                due=due,
                waiting=own.keys() | plan.held.keys(),
                keys=min(CHUNK, MOST_PARKED - len(own)) if plan.reads_on else 0,
                failed=self._failed[row.id] if row.kind == "failed" else None,
            )
            chunk = await self._store.read(question.look)
            events = await prepare(chunk.batch.events, target, store=self._store, dresser=self._dresser)
        except _LATER:
            self._rests_until = self._clock() + SECOND
            return
        chains = chains_of(chunk.batch, events, parked=own, now=now)
        await asyncio.gather(*(chain.run(self._attempts, replay_id=row.id) for chain in chains))
        places = {chain.key: _parked(chain.place(row.webhook_id), row.id) for chain in chains}
        for key in chunk.batch.passed - own.keys() - places.keys():
            places[key] = ReplayParkedRow(row.webhook_id, key, row.cursor, 0, plan.held[key], replay_id=row.id)
        self._note(row, own, chains=chains, places=places, chunk=chunk)

    def _note(
        self,
        row: ReplayRow,
        own: dict[str, ReplayParkedRow],
        *,
        chains: Collection[Chain],
        places: Mapping[str, ReplayParkedRow | None],
        chunk: Chunk,
    ) -> None:
        changed = {key: place for key, place in places.items() if place != own.get(key)}
        for key, place in changed.items():
            if place is None:
                del own[key]
            else:
                own[key] = place
        made = [attempt for chain in chains for attempt in chain.attempts]
        self._forget_failed({attempt.number for attempt in made if attempt.outcome == "delivered"}, by=row.id)
        soonest = min(own.values(), key=lambda each: each.due, default=None)
        after = replace(
            row,
            cursor=chunk.reaches,
            tries=soonest.tries if soonest else 0,
            due=soonest.due if soonest else 0,
            sent=row.sent + sum(attempt.outcome == "delivered" for attempt in made),
            failed=row.failed + chunk.gone + sum(attempt.outcome == "failed" for attempt in made),
            parked=len(own),
        )
        self.news = Progress(after, changed, made)
        self._open = [
            after if each.id == row.id else each for each in self._open if each.id != row.id or not after.is_over
        ]

    def _forget_failed(self, arrived: Collection[int], *, by: str) -> None:
        """What one replay has brought, no other one brings as failed."""
        for replay_id, numbers in self._failed.items():
            if replay_id != by:
                self._failed[replay_id] = [number for number in numbers if number not in arrived]


def _parked(place: ParkedRow | None, replay_id: str) -> ReplayParkedRow | None:
    if place is None:
        return None
    return ReplayParkedRow(**asdict(place), replay_id=replay_id)
