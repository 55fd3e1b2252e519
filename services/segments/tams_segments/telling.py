"""What events of a flow's segments tell, beside the segments themselves (EVT-6, EVT-16)."""

from collections.abc import Sequence

from tams_common.events import Draft, Subject, segments_deleted
from tams_common.ids import FlowId
from tams_common.model.facts import FlowFacts
from tams_common.timerange import EMPTY
from tams_segments.heads import extent
from tams_segments.tables import Head
from tams_segments.timeline import Span


def subject_of(flow_id: FlowId, facts: FlowFacts, *, extent: Span | None) -> Subject:
    """What events of a flow's segments tell about the flow (EVT-16); `extent` is what they cover after the change."""
    return Subject(
        flow_id=flow_id,
        source_id=facts.source_id,
        flow_collected_by=facts.flow_collected_by,
        source_collected_by=facts.source_collected_by,
        incarnation=facts.incarnation,
        extent=str(EMPTY if extent is None else extent.timerange()),
    )


def deleted(left: Head, facts: FlowFacts, *, runs: Sequence[Span]) -> list[Draft]:
    """An event for each run of segments that went; `left` is the head after that."""
    subject = subject_of(FlowId(left.flow_id), facts, extent=extent(left))
    return [segments_deleted(str(run.timerange()), subject) for run in runs]
