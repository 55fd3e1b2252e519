"""Removes what nobody needs any more: bytes, allocations that were never used, heads of deleted flows (TMO)."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import structlog
from msgspec.structs import replace

from tams_common.clock import SECOND, Clock
from tams_common.config import Common
from tams_common.errors import Conflict, Unavailable
from tams_common.objects import Objects
from tams_common.objects.validity import valid_for
from tams_common.store import Query, Store, Table, Tx
from tams_segments.removal import discard
from tams_segments.tables import (
    ALLOCATIONS,
    GARBAGE,
    HEADS,
    OBJECTS,
    TOMBSTONES,
    Allocation,
    Garbage,
    Tombstone,
)

Due = TypeVar("Due", Allocation, Garbage, Tombstone)

BATCH: Final = 200
UPLOAD_GRACE: Final = 3600 * SECOND
"""How long an upload may still be coming in after its URL has expired: bytes that it could bring back are removed for
the last time after that."""
_AT_ONCE: Final = 8
"""Removals under way: a backend is far away, and a long flow has a million objects."""
_FIRST_RETRY: Final = 30 * SECOND
_LAST_RETRY: Final = 3600 * SECOND
_log = structlog.get_logger(__name__)


class Collector:
    """Sweeps rows that are due, from the oldest one on. Every step can be repeated, so several collectors do no harm.

    `interval` is in seconds.
    """

    def __init__(
        self, store: Store, backends: Sequence[Objects], *, clock: Clock, common: Common, interval: float
    ) -> None:
        self._store = store
        self._backends: dict[str, Objects] = {objects.backend.id: objects for objects in backends}
        self._clock = clock
        self._lifetime = common.min_object_timeout * SECOND
        self._writable = valid_for(common.min_presigned_url_timeout) * SECOND + UPLOAD_GRACE
        self._interval = interval
        self._asked = asyncio.Event()

    def prompt(self) -> None:
        """Something became due: look now."""
        self._asked.set()

    async def run(self) -> None:
        """Sweeps whenever asked and at every interval, until cancelled."""
        while True:
            self._asked.clear()
            try:
                await self.sweep()
            except (Unavailable, Conflict) as error:
                _log.warning("collection waits", reason=error.detail)
            try:
                async with asyncio.timeout(self._interval):
                    await self._asked.wait()
            except TimeoutError:
                continue

    async def sweep(self) -> None:
        """Does everything that is due now."""
        while expired := await self._due(ALLOCATIONS):
            await self._run(self._expire, expired)
        while dead := await self._due(TOMBSTONES):
            await self._run(self._bury, dead)
        while garbage := await self._due(GARBAGE):
            await self._remove(garbage)

    async def _due(self, table: Table[Due]) -> list[Due]:
        now = self._clock()
        page = await self._store.read(lambda tx: tx.scan(table, Query(limit=BATCH)), bounded=True)
        return [row for row in page.rows if row.due <= now]

    async def _run(self, step: Callable[[Tx, Sequence[Due]], None], rows: Sequence[Due]) -> None:
        await self._store.run(lambda tx: step(tx, rows))

    def _expire(self, tx: Tx, rows: Sequence[Allocation]) -> None:
        """Removes objects that are still not registered; registration writes the same rows, so one wins (TMO-6).

        What is promised a longer life by now than when it was allocated, or was allocated anew, gets its turn later.
        """
        now = self._clock()
        objects = tx.get_many(OBJECTS, ((row.object_id,) for row in rows)).values()
        ends = [(known, known.created + self._lifetime) for known in objects if known.state == "allocated"]
        discard(tx, [known for known, end in ends if end <= now], due=now + UPLOAD_GRACE)
        later = {(end, known.id) for known, end in ends if end > now}
        tx.insert(ALLOCATIONS, [Allocation(*key) for key in later - tx.get_many(ALLOCATIONS, later).keys()])
        tx.delete(ALLOCATIONS, [(row.due, row.object_id) for row in rows])

    def _bury(self, tx: Tx, rows: Sequence[Tombstone]) -> None:
        heads = tx.get_many(HEADS, ((row.flow_id,) for row in rows))
        for row in rows:
            head = heads.get((row.flow_id,))
            if head is not None and head.deleting and head.count == 0 and head.incarnation == row.incarnation:
                tx.delete(HEADS, [(row.flow_id,)])
        tx.delete(TOMBSTONES, [(row.due, row.flow_id) for row in rows])

    async def _remove(self, rows: Sequence[Garbage]) -> None:
        """Removes bytes, then the rows that ask for it; what fails is put off, so that it does not stop the rest."""
        at_once, failures = asyncio.Semaphore(_AT_ONCE), Counter[str]()
        left = await asyncio.gather(*(self._remove_one(row, at_once, failures=failures) for row in rows))

        def settle(tx: Tx) -> None:
            # Another collector may have settled the same rows: what it put off must not be put off twice.
            known = tx.get_many(GARBAGE, (GARBAGE.key_of(row) for row in rows))
            tx.delete(GARBAGE, known)
            tx.insert(
                GARBAGE,
                [after for row, after in zip(rows, left, strict=True) if after and GARBAGE.key_of(row) in known],
            )

        await self._store.run(settle)

    async def _remove_one(self, row: Garbage, at_once: asyncio.Semaphore, *, failures: Counter[str]) -> Garbage | None:
        """Removes the bytes and returns what is still to be done for them: once more, when no upload can bring them
        back, or what has failed. A backend with several `failures` is taken to be down and left alone for a while: to
        wait for each of its refusals could hold up all others for hours."""
        async with at_once:
            if failures[row.storage_id] >= _AT_ONCE:
                return replace(row, due=self._clock() + _FIRST_RETRY)
            if not await self._remove_bytes(row):
                failures[row.storage_id] += 1
                return _put_off(row, self._clock())
        last = row.created + self._writable
        return Garbage(last, row.storage_key, row.storage_id) if last > self._clock() else None

    async def _remove_bytes(self, row: Garbage) -> bool:
        objects = self._backends.get(row.storage_id)
        if objects is None:
            _log.warning(
                "bytes cannot be removed", storage_id=row.storage_id, key=row.storage_key, reason="no such backend"
            )
            return False
        try:
            await objects.delete(row.storage_key)
        except Unavailable as error:
            _log.warning("bytes cannot be removed", storage_id=row.storage_id, key=row.storage_key, reason=error.detail)
            return False
        return True


def _put_off(row: Garbage, now: int) -> Garbage:
    wait = min(_FIRST_RETRY * 2 ** min(row.tries, 16), _LAST_RETRY)
    return replace(row, due=now + wait, tries=row.tries + 1)
