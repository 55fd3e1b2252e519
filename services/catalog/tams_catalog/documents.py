"""Flows and sources between their rows, whose `body` is the JSON that clients see, and values that rules work on."""

from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tams_catalog.tables import FlowRow, SourceRow
from tams_common.clock import date_time
from tams_common.ids import FlowId, Incarnation, ProfileId, SourceId
from tams_common.model.flow import Flow, FlowCommon, FlowStamp
from tams_common.model.source import Source
from tams_common.model.technical import (
    AudioTechnical,
    DataTechnical,
    ImageTechnical,
    MultiTechnical,
    Technical,
    VideoTechnical,
    has_init_segments,
)
from tams_common.model.values import AUDIO, DATA, IMAGE, MULTI, VIDEO, ContentFormat

_encode: Final = msgspec.json.Encoder().encode
_common: Final = msgspec.json.Decoder(FlowCommon)
_technical: Final = msgspec.json.Decoder[Technical](Technical)
_source: Final = msgspec.json.Decoder(Source)
_FORMATS: Final[dict[type[Technical], ContentFormat]] = {
    VideoTechnical: VIDEO,
    AudioTechnical: AUDIO,
    ImageTechnical: IMAGE,
    DataTechnical: DATA,
    MultiTechnical: MULTI,
}


class _Linked(Struct, frozen=True):
    profile_id: ProfileId | UnsetType = UNSET


class FlowState(Struct, frozen=True, kw_only=True):
    """A flow with what the store knows of it; the times in ns."""

    flow: Flow
    collected_by: tuple[FlowId, ...] = ()
    created: int
    metadata_updated: int
    version: int = 0
    incarnation: Incarnation
    event_at: int = 0
    deleting: bool = False

    @property
    def id(self) -> FlowId:
        """The flow's id."""
        return self.flow.common.id

    @property
    def source_id(self) -> SourceId:
        """The id of the flow's source."""
        return self.flow.common.source_id

    @property
    def members(self) -> tuple[FlowId, ...]:
        """The flows that this one collects, each once, in order."""
        items = self.flow.common.flow_collection
        return () if items is UNSET else tuple(dict.fromkeys(item.id for item in items))


class SourceState(Struct, frozen=True, kw_only=True):
    """A source with what the store knows of it."""

    source: Source
    created: int
    updated: int
    version: int = 0
    event_at: int = 0


_linked: Final = msgspec.json.Decoder(_Linked)


def render_flow(state: FlowState) -> bytes:
    """The JSON of a flow: its three parts as one object."""
    common, technical = _encode(state.flow.common), _encode(state.flow.technical)
    stamp = FlowStamp(
        profile_id=state.flow.profile_id or UNSET,
        created=date_time(state.created),
        metadata_updated=date_time(state.metadata_updated),
        collected_by=state.collected_by,
    )
    return b"".join((common[:-1], b",", technical[1:-1], b",", _encode(stamp)[1:]))


def render_source(state: SourceState) -> bytes:
    """The JSON of a source."""
    return _encode(state.source)


def with_member(body: bytes, name: str, *, text: str) -> bytes:
    """The JSON object `body` with one more member, whose value is a string that needs no escapes."""
    return b"".join((body[:-1], f',"{name}":"{text}"}}'.encode()))


def flow_of(row: FlowRow) -> FlowState:
    """What stands in `row`."""
    return FlowState(
        flow=Flow(_common.decode(row.body), _technical.decode(row.body), _linked.decode(row.body).profile_id),
        collected_by=ids_of(row.collected_by),
        created=row.created,
        metadata_updated=row.metadata_updated,
        version=row.version,
        incarnation=row.incarnation,
        event_at=row.event_at,
        deleting=row.deleting,
    )


def flow_row(state: FlowState, body: bytes) -> FlowRow:
    """The row of a flow that is rendered as `body`."""
    common, technical = state.flow.common, state.flow.technical
    return FlowRow(
        id=common.id,
        source_id=common.source_id,
        format=format_of(technical),
        container=None if technical.container is UNSET else technical.container,
        init_segments=has_init_segments(technical),
        read_only=common.read_only is True,
        deleting=state.deleting,
        collected_by=",".join(state.collected_by),
        created=state.created,
        metadata_updated=state.metadata_updated,
        version=state.version,
        incarnation=state.incarnation,
        event_at=state.event_at,
        body=body,
    )


def format_of(technical: Technical) -> ContentFormat:
    """The format that `technical` is tagged with."""
    return _FORMATS[type(technical)]


def ids_of(column: str) -> tuple[FlowId, ...]:
    """The ids in a column that holds them with commas between."""
    return tuple(map(FlowId, column.split(","))) if column else ()


def source_of(row: SourceRow) -> SourceState:
    """What stands in `row`."""
    return SourceState(
        source=_source.decode(row.body),
        created=row.created,
        updated=row.updated,
        version=row.version,
        event_at=row.event_at,
    )


def source_row(state: SourceState, body: bytes) -> SourceRow:
    """The row of a source that is rendered as `body`."""
    return SourceRow(
        id=state.source.id,
        collected_by=",".join(state.source.collected_by),
        created=state.created,
        updated=state.updated,
        version=state.version,
        event_at=state.event_at,
        body=body,
    )
