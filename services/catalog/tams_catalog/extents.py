"""How far the segments of flows reach, as their events tell: for lists, and for `segments_updated` (FLW-21)."""

from tams_catalog.documents import with_member
from tams_catalog.tables import EXTENTS, FLOWS, ExtentRow
from tams_common.clock import date_time
from tams_common.errors import InvalidInput
from tams_common.events import Envelope
from tams_common.ids import FlowId, Incarnation
from tams_common.store import Query, Tx, eq
from tams_common.timerange import TimeFormatError, TimeRange


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
    after = _extent(envelope)
    row = tx.get(EXTENTS, (flow_id,))
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


def _lives(tx: Tx, flow_id: FlowId, *, incarnation: Incarnation) -> bool:
    found = tx.select(FLOWS, ("incarnation", "deleting"), query=Query(where=(eq("id", flow_id),), limit=1)).rows
    return found == [(incarnation, False)]


def _extent(envelope: Envelope) -> TimeRange:
    if envelope.extent is None:
        raise InvalidInput("an event of segments carries the extent of the flow")
    try:
        return TimeRange.parse(envelope.extent)
    except TimeFormatError as error:
        raise InvalidInput(str(error)) from None
