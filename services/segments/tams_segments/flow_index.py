"""What segments knows of flows beside their timelines, as events tell it: enough to choose flows by their tags (N18).

It lags behind catalog by as much as events do; nothing that is written rests on it (ADR 0006).
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from tams_common.errors import InvalidInput
from tams_common.events import Envelope, FlowCreated, FlowDeleted, FlowUpdated
from tams_common.store import IsIn, Query, Reader, Tx
from tams_common.tags import TagQuery, tag_tokens
from tams_segments.tables import FLOWS, FlowRow


class _Tagged(msgspec.Struct):
    """What is read of a flow's JSON."""

    source_id: str
    tags: dict[str, str | list[str]] = {}


_flow: Final = msgspec.json.Decoder(_Tagged)


def apply(tx: Tx, envelope: Envelope) -> None:
    """Keeps what `envelope` tells of a flow; a deletion of an older creation of it is passed over."""
    if envelope.flow_id is None or envelope.incarnation is None:
        raise InvalidInput("an event of a flow names it and its incarnation")
    known = tx.get(FLOWS, (envelope.flow_id,))
    event = envelope.event()
    if isinstance(event, FlowDeleted):
        if known is not None and known.incarnation == envelope.incarnation:
            tx.delete(FLOWS, [(envelope.flow_id,)])
        return
    if not isinstance(event, FlowCreated | FlowUpdated):
        raise InvalidInput(f"{envelope.type} is no event of a flow")
    told = _flow.decode(event.event.flow)
    row = FlowRow(
        flow_id=envelope.flow_id,
        incarnation=envelope.incarnation,
        source_id=told.source_id,
        tags=tag_tokens(told.tags),
        collected_by=",".join(envelope.flow_collected_by),
    )
    if known is None:
        tx.insert(FLOWS, [row])
    else:
        tx.update(FLOWS, [row])


def having(tx: Reader, flow_ids: Sequence[str], *, tags: TagQuery) -> set[str]:
    """Those of the flows that meet the query; one that is not known yet meets none."""
    query = Query((IsIn("flow_id", tuple(flow_ids)), *tags.conditions("tags")))
    rows: list[Any] = tx.select(FLOWS, ("flow_id",), query=query).rows
    return {row[0] for row in rows}
