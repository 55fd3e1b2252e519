"""What of a replay is sent next: a look at the tables (ADR 0005)."""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Final

from msgspec import Struct

from tams_common.store import Page, Query, Reader, Store, eq, ge
from tams_common.store.where import MOST_VALUES, IsIn, Scalar
from tams_webhooks import history
from tams_webhooks.batch import MOST_BYTES, Batch, Room
from tams_webhooks.matching import Filters
from tams_webhooks.tables import ATTEMPTS, EVENT_LOG, PARKED, THE_LOG, LogRow, ParkedRow, ReplayRow

CHUNK: Final = 16
"""Events that are replayed between two writes."""
_FAILED: Final = 4 * CHUNK
"""Failed events that are read at once."""
_ATTEMPTS: Final = 5000
"""Attempts that are looked through at once."""


class Chunk(Struct, frozen=True):
    """The next events of a replay, where its cursor is when they are under way, and how many were no longer kept."""

    batch: Batch
    reaches: int
    gone: int


class Question(Struct, frozen=True, kw_only=True):
    """What comes next in the replay `row`: the events behind those that are `due`, then the ones from the cursor on, of
    up to `keys` further flows. `waiting` are the flows whose events wait.

    `failed` are the numbers, in order, to which a replay of that kind is limited.
    """

    row: ReplayRow
    filters: Filters
    due: Sequence[ParkedRow]
    waiting: Collection[str]
    keys: int
    failed: Sequence[int] | None

    def look(self, reader: Reader) -> Chunk:
        """Answers; a plain function for `Store.read`.

        An event that waits in the lane is left out, and so are those behind it: they are still to come by themselves.
        """
        own = Query(where=(eq("webhook_id", self.row.webhook_id),))
        parked = {row.key: row.number for row in reader.scan(PARKED, own).rows}
        batch = Batch(self.filters, self.row.cursor - 1, room=Room(self.keys, CHUNK, MOST_BYTES))
        limit = max(1, CHUNK // max(1, len(self.due)))
        gone = 0
        for held in self.due:
            last = min(self.row.cursor, parked.get(held.key, self.row.cursor)) - 1
            rows = self._backlog(reader, held, last=last, limit=limit)
            gone += held.tries > 0 and not any(row.number == held.number for row in rows)
            batch.add_backlog(held.key, rows, limit=limit)
        found, reaches = self._following(reader)
        events = (row for row in found.values() if row and row.number < parked.get(row.key, self.row.end))
        batch.add(events, waiting=self.waiting)
        reaches = batch.cursor + 1 if batch.full else reaches
        gone += sum(row is None and number < reaches for number, row in found.items())
        return Chunk(batch, reaches, gone)

    def _backlog(self, reader: Reader, held: ParkedRow, *, last: int, limit: int) -> list[LogRow]:
        if self.failed is None:
            return history.of_key(reader, held.key, first=held.number, last=last, limit=limit)
        numbers = self.failed[bisect_left(self.failed, held.number) : bisect_left(self.failed, last + 1)]
        rows: list[LogRow] = []
        for start in range(0, len(numbers), MOST_VALUES):
            where = (eq("key", held.key), IsIn("number", tuple(numbers[start : start + MOST_VALUES])))
            rows += reader.scan(EVENT_LOG, Query(where, order=("key", "number"), limit=limit - len(rows))).rows
            if len(rows) == limit:
                break
        return rows

    def _following(self, reader: Reader) -> tuple[Mapping[int, LogRow | None], int]:
        """Events from the cursor on by their numbers, None for one that is no longer kept, and up to where they are
        all."""
        row = self.row
        if self.failed is None:
            rows = history.following(reader, row.cursor - 1, limit=history.SCAN, end=row.end)
            return {each.number: each for each in rows}, rows[-1].number + 1 if len(rows) == history.SCAN else row.end
        first = bisect_left(self.failed, row.cursor)
        numbers = self.failed[first : first + _FAILED]
        events = reader.get_many(EVENT_LOG, [(THE_LOG, number) for number in numbers])
        found = {number: events.get((THE_LOG, number)) for number in numbers}
        return found, numbers[-1] + 1 if len(numbers) == _FAILED else row.end


async def failed_numbers(store: Store, row: ReplayRow) -> list[int]:
    """The numbers, in order, of the events in the range of `row` whose last attempt was made in its time and failed for
    good; attempts of that replay itself do not count. Tests have no number."""
    failed: dict[int, int] = {}
    after: tuple[str, int, int] | None = None
    while True:
        query = Query((eq("webhook_id", row.webhook_id), ge("at", row.since)), after=after, limit=_ATTEMPTS)
        page = await store.read(partial(_attempts, query=query))
        for at, number, outcome, replay_id in page.rows:
            if replay_id == row.id:
                continue
            if outcome == "failed":
                failed[int(number or 0)] = int(at or 0)
            else:
                failed.pop(int(number or 0), None)
        if not page.more:
            break
        after = (row.webhook_id, int(page.rows[-1][0] or 0), int(page.rows[-1][1] or 0))
    return sorted(number for number, at in failed.items() if 0 < number < row.end and at < row.until)


def _attempts(reader: Reader, query: Query) -> Page[tuple[Scalar, ...]]:
    return reader.select(ATTEMPTS, ("at", "number", "outcome", "replay_id"), query=query)
