"""What a lane delivers next: a pure choice among the events that follow its cursor and those that wait (ADR 0005)."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from msgspec import Struct

from tams_webhooks.matching import Filters, matches
from tams_webhooks.tables import LogRow

MOST_PARKED: Final = 1000
"""Flows that wait; with so many a lane, or a replay of it, stops at its cursor."""
MOST_BYTES: Final = 4 * 1024 * 1024
"""Of events that are taken up at once."""


class Room(Struct, frozen=True):
    """How much a batch may hold: keys that have no chain yet, events, and bytes (yet always one event)."""

    keys: int
    events: int
    size: int


class Batch:
    """Chains of events, by key, and how far the log has been looked through for them (`cursor`).

    `passed` are keys of events that were passed although they match, because others of their key have to go first.
    `full` tells that there was no room for an event.
    """

    def __init__(self, filters: Filters, cursor: int, *, room: Room) -> None:
        self.cursor = cursor
        self.chains: dict[str, list[LogRow]] = {}
        self.passed: set[str] = set()
        self.full = False
        self._partly: dict[str, int] = {}
        self._filters = filters
        self._room = room
        self._fresh = self._count = self._size = 0

    @property
    def events(self) -> list[LogRow]:
        """All events of all chains."""
        return [row for rows in self.chains.values() for row in rows]

    def reaches(self, key: str) -> int:
        """The number up to which the chain of `key` has all events that the webhook gets."""
        return self._partly.get(key, self.cursor)

    def add_backlog(self, key: str, rows: Sequence[LogRow], *, limit: int) -> None:
        """Puts events of `key` first that have waited: the next `limit`, or fewer when these are all up to the cursor.
        Only then can later ones follow."""
        self.chains[key] = [row for row in rows if matches(self._filters, row)]
        self._count += len(self.chains[key])
        self._size += sum(row.size for row in self.chains[key])
        if len(rows) == limit:
            self._partly[key] = rows[-1].number

    def add(self, rows: Iterable[LogRow], *, waiting: Collection[str]) -> None:
        """Takes those of `rows` that match, in order, until one does not fit; `waiting` keys are passed."""
        for row in rows:
            if matches(self._filters, row) and not self._take(row, waiting):
                self.full = True
                return
            self.cursor = row.number

    def _take(self, row: LogRow, waiting: Collection[str]) -> bool:
        chain = self.chains.get(row.key)
        if row.key in self._partly or (chain is None and row.key in waiting):
            self.passed.add(row.key)
            return True
        if not self._fits(row, is_new=chain is None):
            return False
        if chain is None:
            chain = self.chains[row.key] = []
            self._fresh += 1
        chain.append(row)
        self._count += 1
        self._size += row.size
        return True

    def _fits(self, row: LogRow, *, is_new: bool) -> bool:
        if is_new and self._fresh >= self._room.keys:
            return False
        return not self._count or (self._count < self._room.events and self._size + row.size <= self._room.size)
