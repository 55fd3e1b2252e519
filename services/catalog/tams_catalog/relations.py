"""What follows when a flow changes: its members and collectors, its source, and what that collects (FLW-39, FLW-44)."""

from collections.abc import Sequence

from msgspec import UNSET
from msgspec.structs import replace

from tams_catalog.changes import Changes
from tams_catalog.compatibility import channels_of, check_channels, check_collections, check_format
from tams_catalog.documents import FlowState, SourceState, format_of
from tams_catalog.membership import check_members, edges_of, source_collectors, source_items
from tams_catalog.tables import COLLECTIONS, FLOWS
from tams_common.clock import date_time
from tams_common.ids import FlowId, SourceId
from tams_common.model.flow import Flow
from tams_common.model.source import Source
from tams_common.store import Query, eq


def appear(changes: Changes, flow: FlowState) -> None:
    """Puts a flow that does not exist yet; its source comes with it (SRC-2)."""
    check_members(flow, lambda member: changes.flow(member) is not None)
    _join(changes, flow)
    changes.put(flow)
    _recount(changes, flow.id, before=(), after=flow.members)
    affected = _write_edges(changes, flow.id)
    _agree(changes, [flow.id])
    _infer(changes, affected)


def alter(changes: Changes, *, before: FlowState, after: FlowState) -> None:
    """Puts a flow that was `before`; a source it has left disappears with its last flow (FLW-39)."""
    moved = before.source_id != after.source_id
    rewritten = [after.id] if moved or _collection(before) != _collection(after) else []
    check_members(after, lambda member: changes.flow(member) is not None)
    if moved or _essentials(before) != _essentials(after):
        _join(changes, after)
    changes.put(after)
    _recount(changes, after.id, before=before.members, after=after.members)
    if moved:
        _leave(changes, before)
        rewritten += before.collected_by
    affected: set[SourceId] = set()
    for collector in rewritten:
        affected |= _write_edges(changes, collector)
    _agree(changes, rewritten)
    _infer(changes, affected)


def vanish(changes: Changes, flow: FlowState) -> None:
    """Hides a flow for good: collections drop it, its members are told, its source goes if it was the last (SRC-4)."""
    changes.load(flow.collected_by)
    changes.put(replace(flow, deleting=True))
    _recount(changes, flow.id, before=flow.members, after=())
    for collector_id in flow.collected_by:
        _drop_member(changes, collector_id, member=flow.id)
    _leave(changes, flow)
    affected = _write_edges(changes, flow.id)
    for collector_id in flow.collected_by:
        affected |= _write_edges(changes, collector_id)
    _infer(changes, affected)


def _collection(flow: FlowState) -> object:
    return flow.flow.common.flow_collection


def _essentials(flow: FlowState) -> tuple[object, ...]:
    """What a source and its flows must agree about."""
    return format_of(flow.flow.technical), channels_of(flow.flow.technical)


def _join(changes: Changes, flow: FlowState) -> None:
    """The flow's source, checked (SRC-20) and held, or created with the flow's format and words (SRC-2, SRC-3)."""
    common = flow.flow.common
    state = changes.source(flow.source_id)
    if state is not None:
        check_format(flow.flow, state.source)
        if channels_of(flow.flow.technical) is not None:
            for other in _siblings(changes, flow)[:1]:
                check_channels(flow.flow, other)
        changes.touch_source(flow.source_id)
        return
    moment = date_time(changes.now)
    source = Source(
        id=flow.source_id,
        format=format_of(flow.flow.technical),
        label=common.label,
        description=common.description,
        created_by=common.updated_by,
        updated_by=common.updated_by,
        created=moment,
        updated=moment,
        tags=common.tags,
    )
    changes.put_source(SourceState(source=source, created=changes.now, updated=changes.now))


def _leave(changes: Changes, flow: FlowState) -> None:
    """Removes the source that `flow` no longer has, unless it has other flows (SRC-4)."""
    if _siblings(changes, flow):
        changes.touch_source(flow.source_id)
    else:
        changes.remove_source(flow.source_id)


def _siblings(changes: Changes, flow: FlowState) -> list[Flow]:
    """One other living flow of the same source, if there is any."""
    living = Query(where=(eq("source_id", flow.source_id), eq("deleting", False)), limit=2)
    found = [id_ for (id_,) in changes.tx.select(FLOWS, ("id",), query=living).rows if id_ != flow.id]
    return [state.flow for id_ in found if (state := changes.flow(FlowId(str(id_))))]


def _recount(changes: Changes, collector: FlowId, *, before: tuple[FlowId, ...], after: tuple[FlowId, ...]) -> None:
    """Tells the members that `collector` has lost or won (COL-6). Their metadata version stays: it is the client's."""
    changes.load((*before, *after))
    for member_id in before:
        if member_id not in after and (member := changes.flow(member_id)):
            rest = tuple(flow_id for flow_id in member.collected_by if flow_id != collector)
            changes.put(replace(member, collected_by=rest))
    for member_id in after:
        if member_id not in before and (member := changes.flow(member_id)):
            changes.put(replace(member, collected_by=(*member.collected_by, collector)))


def _drop_member(changes: Changes, collector_id: FlowId, *, member: FlowId) -> None:
    collector = changes.flow(collector_id)
    if collector is None:
        return
    common = collector.flow.common
    rest = tuple(item for item in common.flow_collection or () if item.id != member)
    common = replace(common, flow_collection=rest, metadata_version=changes.new_id())
    changes.put(replace(collector, flow=replace(collector.flow, common=common), metadata_updated=changes.now))


def _write_edges(changes: Changes, collector_id: FlowId) -> set[SourceId]:
    """Brings the rows of a flow's collection up to date; returns the sources at their ends, old and new."""
    found = changes.tx.scan(COLLECTIONS, Query(where=(eq("collector_id", collector_id),))).rows
    collector = changes.flow(collector_id)
    wanted = [] if collector is None else edges_of(collector, lambda member: _source_of(changes, member))
    kept = [new for old, new in zip(found, wanted, strict=False) if old != new]
    changes.tx.update(COLLECTIONS, kept)
    changes.tx.insert(COLLECTIONS, wanted[len(found) :])
    changes.tx.delete(COLLECTIONS, [COLLECTIONS.key_of(edge) for edge in found[len(wanted) :]])
    return {source for edge in (*found, *wanted) for source in (edge.collector_source_id, edge.member_source_id)}


def _source_of(changes: Changes, member: FlowId) -> SourceId:
    flow = changes.flow(member)
    if flow is None:
        raise LookupError(f"flow {member} is collected, but does not exist")
    return flow.source_id


def _agree(changes: Changes, collectors: Sequence[FlowId]) -> None:
    """Holds the changed collections of `collectors` against those of other flows of their sources (COL-8)."""
    states = [state for flow_id in collectors if (state := changes.flow(flow_id))]
    for source_id in sorted({state.source_id for state in states}):
        edges = changes.tx.scan(COLLECTIONS, Query(where=(eq("collector_source_id", source_id),))).rows
        check_collections(edges, changed=collectors)


def _infer(changes: Changes, sources: set[SourceId]) -> None:
    """Sets what sources collect and are collected by, from the collections of their flows (SRC-7, COL-7)."""
    for source_id in sorted(sources):
        state = changes.source(source_id)
        if state is None:
            continue
        outgoing = changes.tx.scan(COLLECTIONS, Query(where=(eq("collector_source_id", source_id),))).rows
        incoming = changes.tx.scan(COLLECTIONS, Query(where=(eq("member_source_id", source_id),))).rows
        source = replace(
            state.source,
            source_collection=source_items(outgoing) or UNSET,
            collected_by=source_collectors(incoming),
        )
        if source == state.source:
            changes.touch_source(source_id)
        else:
            changes.put_source(replace(state, source=source))
