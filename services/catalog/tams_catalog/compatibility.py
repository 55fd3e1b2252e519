"""Whether a flow can be of its source: what flows of one source may not disagree about (SRC-20, FLW-37, COL-8)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct

from tams_catalog.documents import format_of
from tams_catalog.tables import EdgeRow
from tams_common.errors import InvalidInput
from tams_common.ids import FlowId, SourceId
from tams_common.model.flow import Flow
from tams_common.model.source import Source
from tams_common.model.technical import AudioTechnical, Technical

_COLLECTION = "$.flow_collection"


def check_format(flow: Flow, source: Source) -> None:
    """Raises `InvalidInput` for a flow of another format than its source's (SRC-20)."""
    found = format_of(flow.technical)
    if found != source.format:
        detail = f"the flow's format is {found}, but its source {source.id} has {source.format} (SRC-20) at $.format"
        raise InvalidInput(detail, field="$.format")


def channels_of(technical: Technical) -> int | None:
    """How many channels audio has; None for everything else."""
    return technical.essence_parameters.channels if isinstance(technical, AudioTechnical) else None


def check_channels(flow: Flow, other: Flow) -> None:
    """Raises `InvalidInput` for audio with another number of channels than `other`, a flow of the same source, has:
    that is other content (FLW-37)."""
    found, expected = channels_of(flow.technical), channels_of(other.technical)
    if found != expected:
        field = "$.essence_parameters.channels"
        detail = f"the flow has {found} channels, but flow {other.common.id} of the same source has {expected} (FLW-37)"
        raise InvalidInput(f"{detail} at {field}", field=field)


def check_collections(edges: Iterable[EdgeRow], *, changed: Iterable[FlowId]) -> None:
    """Raises `InvalidInput` when a `changed` flow collects the same sources as another flow of its own source does, yet
    in other roles or another order (COL-8). `edges` are those of all flows of one source; a role that is not given
    agrees with every other one."""
    collections = _collections(edges)
    for mine in (collections[flow_id] for flow_id in dict.fromkeys(changed) if flow_id in collections):
        for other in collections.values():
            if other is not mine:
                _check_roles(mine, other)
                _check_order(mine, other)


class _Collection(Struct, frozen=True):
    """What a flow collects, by source in the order of their first places: the roles that they have there."""

    flow_id: FlowId
    roles: dict[SourceId, set[str]]


def _collections(edges: Iterable[EdgeRow]) -> Mapping[FlowId, _Collection]:
    roles: dict[FlowId, dict[SourceId, set[str]]] = defaultdict(dict)
    for edge in sorted(edges, key=lambda edge: edge.position):
        found = roles[edge.collector_id].setdefault(edge.member_source_id, set())
        if edge.role is not None:
            found.add(edge.role)
    return {flow_id: _Collection(flow_id, each) for flow_id, each in roles.items()}


def _check_roles(mine: _Collection, other: _Collection) -> None:
    for source_id, roles in mine.roles.items():
        known = other.roles.get(source_id)
        if roles and known and roles.isdisjoint(known):
            detail = (
                f"source {source_id} is collected as {_words(roles)} by flow {mine.flow_id}, but as {_words(known)} by "
                f"flow {other.flow_id} of the same source (COL-8) at {_COLLECTION}"
            )
            raise InvalidInput(detail, field=_COLLECTION)


def _check_order(mine: _Collection, other: _Collection) -> None:
    here = [source_id for source_id in mine.roles if source_id in other.roles]
    there = [source_id for source_id in other.roles if source_id in mine.roles]
    for first, second in zip(here, there, strict=True):
        if first != second:
            detail = (
                f"flow {mine.flow_id} collects source {first} before {second}, but flow {other.flow_id} of the same "
                f"source the other way round (COL-8) at {_COLLECTION}"
            )
            raise InvalidInput(detail, field=_COLLECTION)


def _words(roles: set[str]) -> str:
    return " and ".join(repr(role[:64]) for role in sorted(roles))
