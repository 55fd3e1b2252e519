"""The newest events of the log in memory, read once for all lanes of this process."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from tams_common.store import Condition, Query, Reader, Store, eq, gt
from tams_webhooks.log import newest
from tams_webhooks.tables import EVENT_LOG, THE_LOG, WEBHOOKS, LogRow

MOST_ROWS: Final = 2000
MOST_BYTES: Final = 8 * 1024 * 1024
"""Kept in memory."""
STEP: Final = 200
STEP_BYTES: Final = 2 * 1024 * 1024
"""Read at once, yet always one event."""
FEW: Final = 16
"""Events that are read without asking for their sizes first: even the largest do no harm."""


class _Look(Struct, frozen=True):
    rows: list[LogRow]
    versions: dict[str, int]


class Window:
    """The last events that this process has read, up to number `last`.

    `versions` are those of all webhooks, read together with the latest events or after: an event that follows a change
    of a webhook is never in here before that change is.
    """

    def __init__(self, store: Store, *, most_rows: int = MOST_ROWS, most_bytes: int = MOST_BYTES) -> None:
        self._store = store
        self._most_rows = most_rows
        self._most_bytes = most_bytes
        self._rows: list[LogRow] = []
        self._bytes = 0
        self.last = 0
        self.versions: Mapping[str, int] = {}

    async def start(self) -> None:
        """Begins at the log's end; raises `Unavailable`."""
        self.last = await self._store.read(newest, bounded=True)

    async def extend(self, newest: int) -> None:
        """Reads what follows, one step towards the number `newest`; raises `Unavailable`."""
        look = await self._store.read(lambda tx: self._look(tx, missing=newest - self.last), bounded=True)
        self.versions = look.versions
        if look.rows:
            self._rows += look.rows
            self._bytes += sum(row.size for row in look.rows)
            self.last = look.rows[-1].number
            self._forget()

    def after(self, number: int) -> Sequence[LogRow] | None:
        """The events after `number`; None when some of them are not in here."""
        missing = self.last - number
        if missing <= 0:
            return ()
        return self._rows[-missing:] if missing <= len(self._rows) else None

    def _look(self, reader: Reader, *, missing: int) -> _Look:
        following = (eq("log", THE_LOG), gt("number", self.last))
        count = missing if missing <= FEW else self._fitting(reader, following)
        rows = reader.scan(EVENT_LOG, Query(following, limit=count, width=count)).rows if count else []
        versions = reader.select(WEBHOOKS, ("id", "version"), query=Query()).rows
        return _Look(rows, {str(webhook_id): int(version or 0) for webhook_id, version in versions})

    def _fitting(self, reader: Reader, following: tuple[Condition, ...]) -> int:
        """How many of the events that follow are read at once."""
        count = total = 0
        for (size,) in reader.select(EVENT_LOG, ("size",), query=Query(following, limit=STEP, width=STEP)).rows:
            total += int(size or 0)
            if count and total > STEP_BYTES:
                break
            count += 1
        return count

    def _forget(self) -> None:
        excess = max(0, len(self._rows) - self._most_rows)
        spare = self._bytes - sum(row.size for row in self._rows[:excess]) - self._most_bytes
        while spare > 0 and excess < len(self._rows) - 1:
            spare -= self._rows[excess].size
            excess += 1
        if excess:
            self._bytes -= sum(row.size for row in self._rows[:excess])
            del self._rows[:excess]
