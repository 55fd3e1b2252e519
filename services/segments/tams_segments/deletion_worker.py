"""Carries deletion requests on to their ends: one worker of all replicas, batch by batch (DEL-10, ADR 0007)."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from tams_common.bus.backoff import Backoff
from tams_common.errors import BadGateway, Conflict, GatewayTimeout, Unavailable
from tams_common.ids import FlowId, Incarnation
from tams_common.leases import Lease, LeaseLost
from tams_common.store import Store, Tx
from tams_segments.deleting import Pace
from tams_segments.deletion_requests import Tools, fail, finish, to_do
from tams_segments.facts import FlowDirectory
from tams_segments.ranges import advance_range
from tams_segments.tables import DELETION_REQUESTS, DeletionRow
from tams_segments.whole_flows import advance_flow

LEASE: Final = "deletions"
_LATER: Final = (Unavailable, BadGateway, GatewayTimeout, Conflict)
_log = structlog.get_logger(__name__)


class DeletionWorker:
    """Goes round the open requests, a batch of each at a time, so that a long one does not hold up the others.

    `committed` is called after each batch. `interval` is in seconds, between looks that nobody asked for.
    """

    def __init__(
        self, store: Store, flows: FlowDirectory, *, tools: Tools, pace: Pace, committed: Callable[[], None]
    ) -> None:
        self._store = store
        self._flows = flows
        self._tools = tools
        self._pace = pace
        self._committed = committed
        self._lease = Lease(LEASE, tools.new_id(), clock=tools.clock)
        self._asked = asyncio.Event()
        self._backoff = Backoff()

    def prompt(self) -> None:
        """There is something to do."""
        self._asked.set()

    async def run(self) -> None:
        """Works until cancelled, then leaves the rest to others."""
        try:
            while True:
                await self._turn()
        except asyncio.CancelledError:
            await self._leave()
            raise

    async def sweep(self) -> bool:
        """One batch of every open request; whether there may be more to do."""
        now = self._tools.clock()
        found = await self._store.read(lambda tx: to_do(tx, now=now))
        if found.expired:
            await self._store.run(lambda tx: tx.delete(DELETION_REQUESTS, found.expired))
        if not found.open or not await self._store.run(self._lease.take):
            return False
        moved = False
        try:
            for row in found.open:
                began = time.monotonic()
                moved = await self._advance(row) or moved
                await self._pace.rest(time.monotonic() - began)
        except LeaseLost:
            _log.info("deletions go on elsewhere")
            return False
        return moved

    async def _advance(self, row: DeletionRow) -> bool:
        """One batch of a request; whether it got on. One that fails by itself ends, so that the others go on."""
        try:
            left = await self._store.run(lambda tx: self._batch(tx, row))
            if left is None and row.delete_flow and not await self._end(row):
                return False
        except (*_LATER, LeaseLost):
            raise
        except Exception as error:  # noqa: BLE001 -- it is told to whoever asks for the request
            _log.exception("a deletion failed", request_id=row.id, flow_id=row.flow_id)
            summary = f"{type(error).__name__}: {error}"
            await self._store.run(lambda tx: fail(tx, row, summary=summary, tools=self._tools))
        self._committed()
        return True

    def _batch(self, tx: Tx, row: DeletionRow) -> DeletionRow | None:
        self._lease.renew(tx)
        return (advance_flow if row.delete_flow else advance_range)(tx, row, tools=self._tools)

    async def _end(self, row: DeletionRow) -> bool:
        """Ends the deletion of a flow once catalog, too, has let go of it: then its id can be used again."""
        try:
            await self._flows.let_go(FlowId(row.flow_id), Incarnation(row.incarnation))
        except _LATER as error:
            _log.warning("catalog cannot let go of a flow yet", flow_id=row.flow_id, reason=error.detail)
            return False
        await self._store.run(lambda tx: finish(tx, row, tools=self._tools))
        return True

    async def _leave(self) -> None:
        try:
            await self._store.run(self._lease.release)
        except (Unavailable, Conflict) as error:
            _log.warning("deletions wait until the lease has lapsed", reason=error.detail)

    async def _turn(self) -> None:
        self._asked.clear()
        try:
            moved = await self.sweep()
        except _LATER as error:
            _log.warning("deletions wait", reason=error.detail)
            await asyncio.sleep(self._backoff.next())
            return
        self._backoff.reset()
        if moved:
            return
        try:
            async with asyncio.timeout(self._pace.interval):
                await self._asked.wait()
        except TimeoutError:
            return
