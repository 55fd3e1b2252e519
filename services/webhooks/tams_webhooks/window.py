"""The newest events of the log in memory, read once for all lanes of this process, and who waits for further ones."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from msgspec import Struct

from tams_common.bus.backoff import Backoff
from tams_common.errors import Unavailable
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
_log = structlog.get_logger(__name__)


class _Look(Struct, frozen=True):
    rows: list[LogRow]
    versions: dict[str, int]


class Window:
    """The last events that this process has read, up to number `last`: the newest of the log, but for what it is just
    reading.

    It is prompted by whoever appends in this process; other replicas append, too, so it also looks every `sweep`
    seconds. `versions` are those of all webhooks, read together with the latest events or after: an event that follows
    a change of a webhook is never in here before that change is.
    """

    def __init__(self, store: Store, *, sweep: float, most_rows: int = MOST_ROWS, most_bytes: int = MOST_BYTES) -> None:
        self._store = store
        self._sweep = sweep
        self._most_rows = most_rows
        self._most_bytes = most_bytes
        self._rows: list[LogRow] = []
        self._bytes = 0
        self._started = False
        self._many = False
        self._asked = asyncio.Event()
        self._news = asyncio.Event()
        self.last = 0
        self.versions: Mapping[str, int] = {}

    def prompt(self) -> None:
        """Something was appended: look now."""
        self._asked.set()

    async def beyond(self, number: int) -> None:
        """Waits until there is an event after `number`."""
        while self.last <= number:
            await self._news.wait()

    async def run(self) -> None:
        """Looks whenever asked and at every sweep, until cancelled."""
        backoff = Backoff()
        while True:
            self._asked.clear()
            try:
                more = await self.look()
            except Unavailable as error:
                delay = backoff.next()
                _log.warning("new events are not seen", reason=error.detail, seconds=round(delay, 3))
                await asyncio.sleep(delay)
                continue
            backoff.reset()
            if more:
                continue
            try:
                async with asyncio.timeout(self._sweep):
                    await self._asked.wait()
            except TimeoutError:
                continue

    async def look(self) -> bool:
        """Reads one step on, at first the place where the log ends; whether there may be more to read. Raises
        `Unavailable`."""
        if not self._started:
            self._reach(await self._store.read(newest, bounded=True))
            self._started = True
            return True
        following = (eq("log", THE_LOG), gt("number", self.last))
        look = await self._store.read(lambda tx: _look(tx, following, many=self._many), bounded=True)
        self.versions = look.versions
        if look.rows:
            self._rows += look.rows
            self._bytes += sum(row.size for row in look.rows)
            self._forget()
            self._reach(look.rows[-1].number)
        self._many = len(look.rows) >= FEW
        return self._many

    def after(self, number: int) -> Sequence[LogRow] | None:
        """The events after `number`; None when some of them are not in here."""
        missing = self.last - number
        if missing <= 0:
            return ()
        return self._rows[-missing:] if missing <= len(self._rows) else None

    def _forget(self) -> None:
        excess = max(0, len(self._rows) - self._most_rows)
        spare = self._bytes - sum(row.size for row in self._rows[:excess]) - self._most_bytes
        while spare > 0 and excess < len(self._rows) - 1:
            spare -= self._rows[excess].size
            excess += 1
        if excess:
            self._bytes -= sum(row.size for row in self._rows[:excess])
            del self._rows[:excess]

    def _reach(self, number: int) -> None:
        if number > self.last:
            self.last = number
            news, self._news = self._news, asyncio.Event()
            news.set()


def _look(reader: Reader, following: tuple[Condition, ...], *, many: bool) -> _Look:
    count = max(1, _fitting(reader, following)) if many else FEW
    rows = reader.scan(EVENT_LOG, Query(following, limit=count, width=count)).rows
    versions = reader.select(WEBHOOKS, ("id", "version"), query=Query()).rows
    return _Look(rows, {str(webhook_id): int(version or 0) for webhook_id, version in versions})


def _fitting(reader: Reader, following: tuple[Condition, ...]) -> int:
    """How many of the events that follow are read at once."""
    count = total = 0
    for (size,) in reader.select(EVENT_LOG, ("size",), query=Query(following, limit=STEP, width=STEP)).rows:
        total += int(size or 0)
        if count and total > STEP_BYTES:
            break
        count += 1
    return count
