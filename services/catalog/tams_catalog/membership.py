"""What collections of flows say about their sources: pure rules (COL-1, COL-7, SRC-7)."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from msgspec import UNSET

from tams_catalog.documents import FlowState
from tams_catalog.tables import EdgeRow
from tams_common.errors import InvalidInput
from tams_common.ids import FlowId, SourceId
from tams_common.model.source import SourceItem


def check_members(collector: FlowState, exists: Callable[[FlowId], bool]) -> None:
    """Raises `InvalidInput` for a flow that collects itself or one that is not registered (COL-4, COL-5, T-10)."""
    for position, item in enumerate(collector.flow.common.flow_collection or ()):
        field = f"$.flow_collection[{position}].id"
        if item.id == collector.id:
            raise InvalidInput(f"a flow cannot collect itself (COL-5) at {field}", field=field)
        if not exists(item.id):
            raise InvalidInput(
                f"flow {item.id} is not registered here, so it cannot be collected (COL-4) at {field}", field=field
            )


def edges_of(collector: FlowState, source_of: Callable[[FlowId], SourceId]) -> list[EdgeRow]:
    """The collection of a flow, place by place."""
    return [
        EdgeRow(
            collector_id=collector.id,
            position=position,
            member_id=item.id,
            role=None if item.role is UNSET else item.role,
            collector_source_id=collector.source_id,
            member_source_id=source_of(item.id),
        )
        for position, item in enumerate(collector.flow.common.flow_collection or ())
    ]


def source_items(edges: Iterable[EdgeRow]) -> tuple[SourceItem, ...]:
    """The collection of a source, from the `edges` of all its flows: each member once, with the first role that any of
    them gives it, in an order in which each flow finds its own (COL-8 keeps them from contradicting each other). A
    source does not collect itself, even when its flows collect each other."""
    order: list[SourceId] = []
    roles: dict[SourceId, str] = {}
    for _, places in groupby(sorted(edges, key=_place), key=lambda edge: edge.collector_id):
        at = 0
        for edge in places:
            member = edge.member_source_id
            if member == edge.collector_source_id:
                continue
            if member not in order:
                order.insert(at, member)
            at = max(at, order.index(member) + 1)
            if edge.role is not None:
                roles.setdefault(member, edge.role)
    return tuple(SourceItem(member, roles.get(member, UNSET)) for member in order)


def _place(edge: EdgeRow) -> tuple[FlowId, int]:
    return edge.collector_id, edge.position


def source_collectors(edges: Sequence[EdgeRow]) -> tuple[SourceId, ...]:
    """The sources that collect a source, from the `edges` that lead to its flows, in the order of their ids."""
    return tuple(sorted({e.collector_source_id for e in edges if e.collector_source_id != e.member_source_id}))
