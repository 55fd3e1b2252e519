"""What a segment write has to know of its flow (ADR 0006): two rows are read."""

from tams_catalog.documents import ids_of
from tams_catalog.tables import FLOWS, SOURCES
from tams_common.ids import FlowId, Incarnation, SourceId
from tams_common.model.facts import FlowFacts
from tams_common.store import Reader


def flow_facts(reader: Reader, flow_id: FlowId) -> FlowFacts | None:
    """The facts of a flow; None when it does not exist or is being deleted."""
    flow = reader.get(FLOWS, (flow_id,))
    if flow is None or flow.deleting:
        return None
    source = reader.get(SOURCES, (flow.source_id,))
    if source is None:
        return None
    return FlowFacts(
        version=f"{flow.incarnation}.{flow.version}.{source.version}",
        incarnation=Incarnation(flow.incarnation),
        source_id=flow.source_id,
        format=flow.format,
        container=flow.container,
        init_segments=flow.init_segments,
        read_only=flow.read_only,
        flow_collected_by=ids_of(flow.collected_by),
        source_collected_by=tuple(map(SourceId, ids_of(source.collected_by))),
    )
