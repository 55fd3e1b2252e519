"""Chooses what a lane delivers next, from memory where it reaches, else from the tables, and makes it ready to send."""

from collections.abc import Collection, Sequence

from msgspec import Struct
from msgspec.structs import replace

from tams_common.clock import Clock
from tams_common.store import Store
from tams_webhooks.batch import MOST_PARKED, Batch, Room
from tams_webhooks.books import Books
from tams_webhooks.chains import Chain, chains_of
from tams_webhooks.courier import Target
from tams_webhooks.dressing import Dresser
from tams_webhooks.looking import Look, Question
from tams_webhooks.preparing import prepare
from tams_webhooks.window import Window


class Picked(Struct, frozen=True):
    """What is next: new chains, how far the log has been looked through for them, the keys of events that were passed
    because others of their key go first, and in words what was not kept long enough. `is_outdated` tells that the
    webhook has changed or is gone: nothing is next before it has been read again."""

    chains: Sequence[Chain] = ()
    cursor: int = 0
    passed: Collection[str] = ()
    skipped: str = ""
    is_outdated: bool = False


class Picker:
    """Picks for the webhook `webhook_id`."""

    def __init__(self, webhook_id: str, window: Window, *, dresser: Dresser, store: Store, clock: Clock) -> None:
        self._webhook_id = webhook_id
        self._window = window
        self._dresser = dresser
        self._store = store
        self._clock = clock
        self._full_at = -1
        self._told_below = 0
        self._next_at = 0
        self._is_known = False

    def following(self, cursor: int) -> int:
        """When (ns) the event after `cursor` arrived, 0 for none; of a lane far behind, when one before it did."""
        rows = self._window.after(cursor)
        if rows is None:
            return self._next_at
        return rows[0].appended if rows else 0

    def freed(self) -> None:
        """There may be room again."""
        self._full_at = -1

    async def pick(self, target: Target, books: Books, *, busy: Collection[str], room: Room) -> Picked:
        """`busy` are the keys that have chains, `room` is for further ones. Raises `Unavailable` and the like when
        tables or segments do not answer; nothing has changed then."""
        now = self._clock()
        due = [row for key, row in books.parked.items() if row.due <= now and key not in busy]
        due = sorted(due, key=lambda row: row.due)[: room.keys]
        behind = self._full_at != books.cursor and self._window.after(books.cursor) is None
        question = Question(self._webhook_id, books.cursor, due, max(1, room.events // max(1, len(due))), behind)
        look, is_gone = await self._look(question)
        self._next_at = look.rows[0].appended if look.rows else self._next_at
        if is_gone or look.version > target.version:
            return Picked(is_outdated=True)
        waiting = books.parked.keys() | set(busy)
        fresh = max(0, min(MOST_PARKED - len(waiting), room.keys - len(due)))
        batch = Batch(target.filters, max(books.cursor, look.oldest - 1), room=replace(room, keys=fresh))
        for key, rows in look.backlogs.items():
            batch.add_backlog(key, rows, limit=question.limit)
        batch.add(look.rows if behind else self._window.after(batch.cursor) or (), waiting=waiting)
        if batch.full and batch.cursor == books.cursor:
            self._full_at = books.cursor
        events = await prepare(batch.events, target, store=self._store, dresser=self._dresser)
        chains = chains_of(batch, events, parked=books.parked, now=now)
        return Picked(chains, batch.cursor, batch.passed, self._lost(books, look))

    async def _look(self, question: Question) -> tuple[Look, bool]:
        """What there is, and whether the webhook is gone: memory may not have heard yet of one that is new."""
        if question.due or question.behind:
            look = await self._store.read(question.look)
            return look, not look.version
        version = self._window.versions.get(self._webhook_id, 0)
        self._is_known = self._is_known or version > 0
        return Look(version), self._is_known and not version

    def _lost(self, books: Books, look: Look) -> str:
        """In words, what was to be delivered and is no longer kept, once; empty for nothing."""
        parts = []
        missing = look.oldest - books.cursor - 1
        if missing > 0:
            parts.append(f"{missing} events, numbers {books.cursor + 1} to {look.oldest - 1}, were no longer kept")
        flows = sum(self._told_below <= row.number < look.oldest for row in books.parked.values())
        if flows:
            parts.append(f"events before number {look.oldest} that waited, of {flows} flows, were no longer kept")
        self._told_below = max(self._told_below, look.oldest)
        return "; ".join(parts)
