"""The catalog's use cases, each one transaction or one read."""

from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from tams_catalog.changes import Changes
from tams_catalog.delete_flow import begin_deletion
from tams_catalog.documents import render_flow, with_member
from tams_catalog.extents import with_updates
from tams_catalog.facts import flow_facts
from tams_catalog.listing import Listing, list_flows, list_sources
from tams_catalog.put_flow import edit_flow, living_flow, put_flow
from tams_catalog.segments import Segments
from tams_catalog.sweep import Deletions
from tams_catalog.tables import EXTENTS, FLOWS, SOURCES, FlowRow
from tams_common.clock import Clock
from tams_common.errors import InvalidInput, NotFound
from tams_common.http.message import Context
from tams_common.ids import FlowId, IdSource, SourceId
from tams_common.model.facts import FlowFacts
from tams_common.model.flow import Flow, ProfileFlow
from tams_common.store import Query, Reader, Store, Tx
from tams_common.timerange import TimeRange

T = TypeVar("T")


class Surroundings(Struct, frozen=True):
    """What the use cases work with; `prompt` tells the relay that events are staged."""

    store: Store
    segments: Segments
    deletions: Deletions
    clock: Clock
    new_id: IdSource
    prompt: Callable[[], None]


class Catalog:
    """Flows and sources, as handlers see them."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._with = surroundings

    async def put_flow(self, body: Flow | ProfileFlow, context: Context) -> bytes | None:
        """Creates a flow and returns its JSON, or replaces one and returns None (FLW-13)."""
        if isinstance(body, ProfileFlow):
            raise InvalidInput(
                f"profile {body.profile_id} does not exist (PRF-16) at $.profile_id", field="$.profile_id"
            )
        flow, subject = body, context.principal.subject
        created = await self._change(lambda changes: put_flow(changes, flow, subject=subject))
        return None if created is None else render_flow(created)

    async def set_read_only(self, flow_id: FlowId, value: bool, *, context: Context) -> None:
        """Protects a flow, or takes the protection away, which is possible on a read-only flow, too (SUB-6, SUB-7)."""

        def edit(changes: Changes) -> None:
            before = living_flow(changes, flow_id)
            common = replace(before.flow.common, read_only=value)
            edit_flow(changes, before, common=common, subject=context.principal.subject)

        await self._change(edit)

    async def delete_flow(self, flow_id: FlowId, context: Context) -> None:
        """Hides a flow at once and has segments remove what belongs to it; the sweep goes on where that fails."""
        incarnation = await self._change(lambda changes: begin_deletion(changes, flow_id))
        await self._with.deletions.begun(flow_id, incarnation, context=context)

    async def flow(self, flow_id: FlowId) -> bytes:
        """The JSON of a flow; raises `NotFound`."""

        def read(reader: Reader) -> bytes:
            row = _living(reader, flow_id)
            return with_updates(row.body, reader.get(EXTENTS, (flow_id,)), incarnation=row.incarnation)

        return await self._with.store.read(read, bounded=True)

    async def flow_with_timerange(self, flow_id: FlowId, within: TimeRange, *, context: Context) -> bytes:
        """The JSON of a flow with the span of its segments that overlap `within`, asked of segments so that a writer
        reads its own write (FLW-10 to FLW-12, T-42)."""
        body = await self.flow(flow_id)
        extent = await self._with.segments.extent(flow_id, within, context=context)
        return with_member(body, "timerange", text=extent)

    async def is_read_only(self, flow_id: FlowId) -> bool:
        """Whether a flow is protected; raises `NotFound`."""
        return await self._with.store.read(lambda reader: _living(reader, flow_id).read_only, bounded=True)

    async def facts(self, flow_id: FlowId) -> FlowFacts | None:
        """What a segment write has to know (ADR 0006); None when the flow does not exist."""
        return await self._with.store.read(lambda reader: flow_facts(reader, flow_id), bounded=True)

    async def source(self, source_id: SourceId) -> bytes:
        """The JSON of a source; raises `NotFound`."""
        row = await self._with.store.read(lambda reader: reader.get(SOURCES, (source_id,)), bounded=True)
        if row is None:
            raise NotFound(f"there is no source {source_id}")
        return row.body

    async def flows(self, query: Query) -> Listing:
        """A page of flows."""
        return await self._with.store.read(lambda reader: list_flows(reader, query))

    async def sources(self, query: Query) -> Listing:
        """A page of sources."""
        return await self._with.store.read(lambda reader: list_sources(reader, query))

    async def _change(self, rule: Callable[[Changes], T]) -> T:
        now = self._with.clock()

        def change(tx: Tx) -> T:
            changes = Changes(tx, now=now, new_id=self._with.new_id)
            result = rule(changes)
            changes.flush()
            return result

        result = await self._with.store.run(change)
        self._with.prompt()
        return result


def _living(reader: Reader, flow_id: FlowId) -> FlowRow:
    row = reader.get(FLOWS, (flow_id,))
    if row is None or row.deleting:
        raise NotFound(f"there is no flow {flow_id}")
    return row
