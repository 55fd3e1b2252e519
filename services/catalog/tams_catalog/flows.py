"""The use cases of flows, each one transaction or one read."""

from collections.abc import Callable

from tams_catalog.changes import Changes
from tams_catalog.delete_flow import begin_deletion
from tams_catalog.documents import FlowState, flow_of, render_flow, with_member
from tams_catalog.extents import with_updates
from tams_catalog.facts import flow_facts
from tams_catalog.listing import Ask, Listing, list_flows
from tams_catalog.put_flow import edit_flow, put_flow
from tams_catalog.segments import Segments, UnderWay
from tams_catalog.sweep import Deletions
from tams_catalog.tables import FLOW_INDEX, FLOWS, FlowRow
from tams_catalog.transactions import Transactions
from tams_common.errors import NotFound
from tams_common.http.message import Context
from tams_common.ids import FlowId, Incarnation
from tams_common.model.facts import FlowFacts
from tams_common.model.flow import Flow, ProfileFlow
from tams_common.store import Reader
from tams_common.timerange import TimeRange


class Flows:
    """Flows, as handlers see them."""

    def __init__(self, transactions: Transactions, *, segments: Segments, deletions: Deletions) -> None:
        self._transactions = transactions
        self._store = transactions.store
        self._segments = segments
        self._deletions = deletions

    async def put(
        self, body: Flow | ProfileFlow, *, context: Context, check: Callable[[bytes | None], None] | None = None
    ) -> bytes | None:
        """Creates a flow and returns its JSON, or replaces one and returns None (FLW-13).

        `check` is given what GET shows of the flow before, None for no flow, and raises unless it may be written.
        """
        flow_id, subject = body.id if isinstance(body, ProfileFlow) else body.common.id, context.principal.subject

        def put(changes: Changes) -> FlowState | None:
            if check is not None:
                check(_shown_or_none(changes.tx, flow_id))
            return put_flow(changes, body, subject=subject)

        created = await self._transactions.change(put)
        return None if created is None else render_flow(created)

    async def edit(
        self, flow_id: str, change: Callable[[Flow], Flow], *, context: Context, even_read_only: bool = False
    ) -> None:
        """Replaces a flow by what `change` makes of it; raises `NotFound`, and `Forbidden` for a read-only one."""

        def edit(changes: Changes) -> None:
            subject = context.principal.subject
            edit_flow(changes, FlowId(flow_id), change=change, subject=subject, even_read_only=even_read_only)

        await self._transactions.change(edit)

    async def delete(self, flow_id: FlowId, *, context: Context) -> UnderWay | None:
        """Hides a flow at once and has segments remove what belongs to it, which may go on after this returns."""
        incarnation = await self._transactions.change(lambda changes: begin_deletion(changes, flow_id))
        return await self._deletions.begun(flow_id, incarnation, context=context)

    async def deleted(self, flow_id: FlowId, incarnation: Incarnation) -> None:
        """Segments has removed all of a flow that is being deleted."""
        await self._deletions.done(flow_id, incarnation)

    async def look(self, flow_id: str) -> Flow:
        """A flow as a value; raises `NotFound`."""
        row = await self._store.read(lambda reader: _living(reader, FlowId(flow_id)), bounded=True)
        return flow_of(row).flow

    async def one(self, flow_id: FlowId) -> bytes:
        """The JSON of a flow; raises `NotFound`."""
        return await self._store.read(lambda reader: _shown(reader, flow_id), bounded=True)

    async def one_with_timerange(self, flow_id: FlowId, within: TimeRange, *, context: Context) -> bytes:
        """The JSON of a flow with the span of its segments that overlap `within`, asked of segments so that a writer
        reads its own write (FLW-10 to FLW-12, T-42)."""
        body = await self.one(flow_id)
        extent = await self._segments.extent(flow_id, within, context=context)
        return with_member(body, "timerange", text=extent)

    async def page(self, ask: Ask) -> Listing:
        """A page of flows."""
        return await self._store.read(lambda reader: list_flows(reader, ask), bounded=ask.bounded)

    async def facts(self, flow_id: FlowId) -> FlowFacts | None:
        """What a segment write has to know (ADR 0006); None when the flow does not exist."""
        return await self._store.read(lambda reader: flow_facts(reader, flow_id), bounded=True)


class Unprotected:
    """Flows whose protection is not asked about, for `read_only` itself (SUB-7)."""

    def __init__(self, flows: Flows) -> None:
        self._flows = flows

    async def look(self, flow_id: str) -> Flow:
        """As `Flows.look`."""
        return await self._flows.look(flow_id)

    async def edit(self, flow_id: str, change: Callable[[Flow], Flow], *, context: Context) -> None:
        """As `Flows.edit`, but read-only flows are edited, too."""
        await self._flows.edit(flow_id, change, context=context, even_read_only=True)


def _living(reader: Reader, flow_id: FlowId) -> FlowRow:
    row = reader.get(FLOWS, (flow_id,))
    if row is None or row.deleting:
        raise NotFound(f"there is no flow {flow_id}")
    return row


def _shown(reader: Reader, flow_id: FlowId) -> bytes:
    row = _living(reader, flow_id)
    entry = reader.get(FLOW_INDEX, (flow_id,))
    return with_updates(row.body, entry.segments_updated if entry else None)


def _shown_or_none(reader: Reader, flow_id: FlowId) -> bytes | None:
    try:
        return _shown(reader, flow_id)
    except NotFound:
        return None
