"""Events that were asked for once more: a second cursor of a lane, beside the live one."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from tams_common.clock import SECOND, Clock
from tams_common.errors import BadGateway, Conflict, GatewayTimeout, Unavailable
from tams_common.store import Query, Reader, Store, eq, ge, gt, lt
from tams_webhooks import history
from tams_webhooks.attempts import Attempts, Dressed
from tams_webhooks.courier import Target
from tams_webhooks.dressing import Dresser
from tams_webhooks.matching import Filters, matches
from tams_webhooks.tables import ATTEMPTS, EVENT_LOG, THE_LOG, AttemptRow, LogRow, ReplayRow

CHUNK: Final = 16
"""Events that are replayed between two writes."""
_FAILED: Final = 4 * CHUNK
"""Failed attempts that are read at once, each with its event."""
_LATER: Final = (Unavailable, BadGateway, GatewayTimeout, Conflict)


class Chunk(Struct, frozen=True):
    """The next events of a replay by their places on its cursor, None for one that is no longer kept. `reaches` is
    where the cursor is when they are done."""

    events: dict[int, LogRow | None]
    reaches: int


class End(Struct, frozen=True):
    """The event at which a key got no further; without an attempt, none could be made."""

    place: int
    attempt: AttemptRow | None


class Replaying:
    """Delivers the replays of one lane, the oldest first, each in the order of every key.

    An event that fails stops its replay until it is tried again; what was delivered beyond it is remembered, in memory.
    `news` are attempts, and `changed` is the replay, as they are to be written; `task` is what runs.
    """

    def __init__(self, attempts: Attempts, dresser: Dresser, *, store: Store, clock: Clock) -> None:
        self.task: asyncio.Task[None] | None = None
        self.news: list[AttemptRow] = []
        self.changed: ReplayRow | None = None
        self._attempts = attempts
        self._dresser = dresser
        self._store = store
        self._clock = clock
        self._open: list[ReplayRow] = []
        self._ahead: set[int] = set()

    @property
    def due(self) -> int | None:
        """When (ns) the next step can be made; None while nothing waits."""
        return self._open[0].due if self._open and self.task is None and self.changed is None else None

    def adopt(self, rows: Sequence[ReplayRow]) -> None:
        """These are open; what is known here of one of them is newer than its row."""
        known = {row.id: row for row in (*self._open, *((self.changed,) if self.changed else ()))}
        self._open = [row for row in (known.get(row.id, row) for row in rows) if row.cursor < row.end]

    def begin(self, target: Target, *, done: Callable[[], None]) -> None:
        """Starts the next step if it is due; `done` is called at its end."""
        if self.due is not None and self.due <= self._clock():
            self.task = asyncio.create_task(self._step(self._open[0], target))
            self.task.add_done_callback(lambda _: done())

    def collect(self) -> None:
        """Forgets a task that has ended; raises what it raised."""
        if self.task is not None and self.task.done():
            task, self.task = self.task, None
            task.result()

    def written(self) -> None:
        """`changed` and `news` are in the tables."""
        self.changed = None
        self.news = []

    async def _step(self, row: ReplayRow, target: Target) -> None:
        try:
            chunk = await self._store.read(lambda tx: read_chunk(tx, row, filters=target.filters, skipped=self._ahead))
            events = [event for event in chunk.events.values() if event is not None]
            bodies = await self._dresser.bodies(target.webhook, events, base_url=target.base_url)
        except _LATER:
            self._replace(replace(row, due=self._clock() + SECOND))
            return
        keys: dict[str, list[tuple[int, Dressed]]] = {}
        for place, event in chunk.events.items():
            if event is not None:
                dressed = Dressed(event, bodies.get(event.number, event.value), target)
                keys.setdefault(event.key, []).append((place, dressed))
        made: list[AttemptRow] = []
        ends = await asyncio.gather(*(self._deliver(events, row, made=made) for events in keys.values()))
        stop = min((end for end in ends if end is not None), key=lambda end: end.place, default=None)
        after = advanced(row, chunk, stop=stop, sent=sum(attempt.outcome == "delivered" for attempt in made))
        self._ahead = {place for place in self._ahead if place >= after.cursor}
        self.changed, self.news = after, made
        self._replace(after)

    async def _deliver(
        self, events: Sequence[tuple[int, Dressed]], row: ReplayRow, *, made: list[AttemptRow]
    ) -> End | None:
        """Delivers events of one key, in order; adds the attempts to `made`. None when it has got through."""
        for place, dressed in events:
            tries = row.tries if place == row.cursor else 0
            attempt = await self._attempts.make(dressed, tries=tries, replay_id=row.id)
            if attempt is None:
                return End(place, None)
            made.append(attempt)
            if attempt.outcome != "delivered":
                return End(place, attempt)
            self._ahead.add(place)
        return None

    def _replace(self, after: ReplayRow) -> None:
        rows = [after if row.id == after.id else row for row in self._open]
        self._open = [row for row in rows if row.cursor < row.end]


def advanced(row: ReplayRow, chunk: Chunk, *, stop: End | None, sent: int) -> ReplayRow:
    """The replay after `chunk`, which got through or came to `stop`; `sent` events were delivered."""
    used_up = stop is not None and stop.attempt is not None and stop.attempt.outcome == "failed"
    cursor = chunk.reaches if stop is None else stop.place + 1 if used_up else stop.place
    gone = sum(event is None and place < cursor for place, event in chunk.events.items())
    tries = row.tries if cursor == row.cursor else 0
    due = 0
    if stop is not None and stop.attempt is not None and not used_up:
        tries, due = stop.attempt.tries, stop.attempt.due
    return replace(
        row, cursor=cursor, tries=tries, due=due, sent=row.sent + sent, failed=row.failed + gone + int(used_up)
    )


def read_chunk(reader: Reader, row: ReplayRow, *, filters: Filters, skipped: Collection[int]) -> Chunk:
    """What comes next in the replay `row`, but for the places that are to be `skipped`; only events that the webhook
    asks for as it is now."""
    read = _failed if row.kind == "failed" else _range
    found, reaches = read(reader, row)
    chosen: dict[int, LogRow | None] = {}
    for place, event in found.items():
        if place in skipped or (event is not None and not matches(filters, event)):
            continue
        if len(chosen) == CHUNK:
            reaches = place
            break
        chosen[place] = event
    values = {event.number: event for event in history.with_values(reader, filter(None, chosen.values()))}
    return Chunk({place: event and values.get(event.number) for place, event in chosen.items()}, reaches)


def _range(reader: Reader, row: ReplayRow) -> tuple[dict[int, LogRow | None], int]:
    """Events by their numbers."""
    rows = history.following(reader, row.cursor - 1, limit=history.SCAN, end=row.end)
    reaches = rows[-1].number + 1 if len(rows) == history.SCAN else row.end
    return {event.number: event for event in rows}, reaches


def _failed(reader: Reader, row: ReplayRow) -> tuple[dict[int, LogRow | None], int]:
    """Events by the moments of the attempts with which they failed for good; tests have no number."""
    where = (
        eq("webhook_id", row.webhook_id),
        ge("at", row.cursor),
        lt("at", row.end),
        eq("outcome", "failed"),
        gt("number", 0),
    )
    rows = reader.select(ATTEMPTS, ("at", "number"), query=Query(where, limit=_FAILED)).rows
    numbers = {int(at or 0): int(number or 0) for at, number in rows}
    events = reader.get_many(EVENT_LOG, [(THE_LOG, number) for number in set(numbers.values())])
    reaches = max(numbers) + 1 if len(rows) == _FAILED else row.end
    return {at: events.get((THE_LOG, number)) for at, number in numbers.items()}, reaches
