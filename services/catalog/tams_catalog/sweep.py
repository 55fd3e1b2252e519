"""Finishing what `DELETE /flows/{id}` began: that rests on this sweep, the request is only the first try (ADR 0007)."""

import asyncio
from typing import Final

import structlog

from tams_catalog.delete_flow import finish_deletion, unfinished_deletions
from tams_catalog.segments import Segments, UnderWay
from tams_common.errors import BadGateway, Conflict, GatewayTimeout, Unavailable
from tams_common.http.message import Context
from tams_common.ids import FlowId, Incarnation
from tams_common.store import Store

_log = structlog.get_logger(__name__)
_BATCH: Final = 100
_LATER: Final = (Unavailable, BadGateway, GatewayTimeout, Conflict)


class Deletions:
    """Repeats to segments that a flow is to be removed until that is done, then forgets the flow."""

    def __init__(self, store: Store, segments: Segments, *, interval: float) -> None:
        self._store = store
        self._segments = segments
        self._interval = interval
        self._stuck: FlowId | None = None

    async def run(self) -> None:
        """Sweeps every `interval` seconds until cancelled."""
        while True:
            await self.sweep()
            await asyncio.sleep(self._interval)

    async def sweep(self) -> None:
        """Goes over the flows that are hidden, but not gone; stops early when it cannot get on.

        The next sweep begins behind the flow at which one has stopped: if that one is at fault, others get their turn.
        """
        after, self._stuck = self._stuck, None
        try:
            while waiting := await self._waiting(after):
                for flow_id, incarnation in waiting:
                    after = flow_id
                    await self._finish(flow_id, incarnation, context=Context())
        except _LATER as error:
            self._stuck = after
            _log.warning("deletions wait", flow_id=after, reason=error.detail)

    async def begun(self, flow_id: FlowId, incarnation: Incarnation, *, context: Context) -> UnderWay | None:
        """Tries to finish a deletion right after it has begun, and tells of what segments has yet to do; where that
        cannot be reached, the sweep goes on."""
        try:
            return await self._finish(flow_id, incarnation, context=context)
        except _LATER as error:
            _log.warning("a deletion waits", flow_id=flow_id, reason=error.detail)
            return None

    async def done(self, flow_id: FlowId, incarnation: Incarnation) -> None:
        """Segments has nothing left of that creation of the flow: its id can be used again."""
        await self._store.run(lambda tx: finish_deletion(tx, flow_id, incarnation=incarnation))

    async def _waiting(self, after: FlowId | None) -> list[tuple[FlowId, Incarnation]]:
        return await self._store.read(lambda reader: unfinished_deletions(reader, after, limit=_BATCH))

    async def _finish(self, flow_id: FlowId, incarnation: Incarnation, *, context: Context) -> UnderWay | None:
        left = await self._segments.delete(flow_id, incarnation, context=context)
        if left is None:
            await self.done(flow_id, incarnation)
        return left
