"""How far the segments of flows reach, as their events tell: for lists, and for `segments_updated` (FLW-21)."""

from typing import Final

import msgspec
from msgspec import Struct

from tams_catalog.documents import with_member
from tams_catalog.tables import EXTENTS, FLOWS, ExtentRow
from tams_common.clock import date_time
from tams_common.errors import InvalidInput
from tams_common.events import Envelope, SegmentsAdded, SegmentsDeleted, event_type
from tams_common.ids import FlowId, Incarnation
from tams_common.store import Query, Tx, eq
from tams_common.timerange import EMPTY, TimeFormatError, TimeRange

_ADDED: Final = event_type(SegmentsAdded)
_DELETED: Final = event_type(SegmentsDeleted)


class _Segment(Struct, frozen=True):
    timerange: str


class _Change(Struct, frozen=True):
    segments: tuple[_Segment, ...] = ()
    timerange: str = "()"


class _Event(Struct, frozen=True):
    event: _Change


_decoder: Final = msgspec.json.Decoder(_Event)


def with_updates(body: bytes, extent: ExtentRow | None, *, incarnation: Incarnation) -> bytes:
    """The JSON of a flow with the moment at which its segments changed, if they ever did."""
    if extent is None or extent.incarnation != incarnation:
        return body
    return with_member(body, "segments_updated", text=date_time(extent.segments_updated))


def apply(tx: Tx, envelope: Envelope) -> None:
    """Moves the extent of the flow that `envelope` is about, unless that creation of the flow is gone."""
    flow_id, incarnation = envelope.flow_id, envelope.incarnation
    if flow_id is None or incarnation is None:
        raise InvalidInput("an event of segments names its flow and incarnation")
    if not _lives(tx, flow_id, incarnation=incarnation):
        return
    change = _decoder.decode(envelope.value).event
    row = tx.get(EXTENTS, (flow_id,))
    before = EMPTY if row is None or row.incarnation != incarnation else TimeRange.parse(row.timerange)
    try:
        after = _moved(before, change, kind=envelope.type)
    except TimeFormatError as error:
        raise InvalidInput(str(error)) from None
    moved = ExtentRow(
        flow_id=flow_id,
        incarnation=incarnation,
        timerange=str(after),
        start=None if after.is_empty else after.start,
        end=None if after.is_empty else after.end,
        segments_updated=envelope.at,
    )
    if row is None:
        tx.insert(EXTENTS, [moved])
    else:
        tx.update(EXTENTS, [moved])


def shrunk(extent: TimeRange, removed: TimeRange) -> TimeRange:
    """What `extent` can still reach when the segments in `removed` are gone: cut where that reaches one of its ends.

    Gaps beside what was removed stay in, so this is an upper bound.
    """
    if not removed.overlaps(extent):
        return extent
    if removed.contains(extent):
        return EMPTY
    if removed.contains(TimeRange(extent.start, removed.end, includes_start=extent.includes_start)):
        return TimeRange(
            removed.end, extent.end, includes_start=not removed.includes_end, includes_end=extent.includes_end
        )
    if removed.contains(TimeRange(removed.start, extent.end, includes_end=extent.includes_end)):
        return TimeRange(
            extent.start, removed.start, includes_start=extent.includes_start, includes_end=not removed.includes_start
        )
    return extent


def _lives(tx: Tx, flow_id: FlowId, *, incarnation: Incarnation) -> bool:
    found = tx.select(FLOWS, ("incarnation", "deleting"), Query(where=(eq("id", flow_id),), limit=1)).rows
    return found == [(incarnation, False)]


def _moved(extent: TimeRange, change: _Change, *, kind: str) -> TimeRange:
    if kind == _DELETED:
        return shrunk(extent, TimeRange.parse(change.timerange))
    if kind != _ADDED:
        raise InvalidInput(f"segments sent an event of type {kind}")
    for segment in change.segments:
        extent = extent.hull(TimeRange.parse(segment.timerange))
    return extent
