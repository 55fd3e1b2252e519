"""How far the segments of flows reach, as their events tell: for lists, and for `segments_updated` (FLW-21)."""

from msgspec.structs import replace

from tams_catalog.documents import with_member
from tams_catalog.entries import extent_keys
from tams_catalog.tables import FLOW_INDEX
from tams_common.clock import date_time
from tams_common.errors import InvalidInput
from tams_common.events import Envelope
from tams_common.store import Tx
from tams_common.timerange import TimeFormatError, TimeRange


def with_updates(body: bytes, segments_updated: int | None) -> bytes:
    """The JSON of a flow with the moment (ns) at which its segments changed, if they ever did."""
    return body if segments_updated is None else with_member(body, "segments_updated", text=date_time(segments_updated))


def apply(tx: Tx, envelope: Envelope) -> None:
    """Moves the extent of the flow that `envelope` is about, unless that creation of the flow is gone or it is known
    already what came later."""
    flow_id, incarnation = envelope.flow_id, envelope.incarnation
    if flow_id is None or incarnation is None:
        raise InvalidInput("an event of segments names its flow and incarnation")
    entry = tx.get(FLOW_INDEX, (flow_id,))
    if entry is None or entry.incarnation != incarnation or envelope.at <= (entry.segments_updated or 0):
        return
    start, end = extent_keys(_extent(envelope))
    moved = replace(entry, extent_start=start, extent_end=end, segments_updated=envelope.at)
    tx.update(FLOW_INDEX, [moved])


def _extent(envelope: Envelope) -> TimeRange:
    if envelope.extent is None:
        raise InvalidInput("an event of segments carries the extent of the flow")
    try:
        return TimeRange.parse(envelope.extent)
    except TimeFormatError as error:
        raise InvalidInput(str(error)) from None
