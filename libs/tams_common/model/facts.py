"""What catalog and segments tell each other about a flow, by internal calls (ADR 0006, ADR 0007)."""

import msgspec

from tams_common.ids import FlowId, Incarnation, SourceId


class FlowFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that a segment write has to know of its flow: the answer of catalog's `GET /internal/flows/{flow_id}/facts`.

    A flow that does not exist, or is being deleted, is a 404 there. `version` is opaque, another one whenever anything
    here changes or the flow is created anew; quoted in `If-None-Match` it makes the answer a 304 without a body.
    """

    version: str
    incarnation: Incarnation
    source_id: SourceId
    format: str
    container: str | None = None
    init_segments: bool = False
    read_only: bool = False
    flow_collected_by: tuple[FlowId, ...] = ()
    source_collected_by: tuple[SourceId, ...] = ()


class FlowExtent(msgspec.Struct, frozen=True):
    """The answer of segments' `GET /internal/flows/{flow_id}/extent?timerange=…`: the span of the segments that overlap
    the timerange asked for, `()` when there are none (FLW-11, T-42)."""

    timerange: str


class FlowDeletion(msgspec.Struct, frozen=True):
    """The body of catalog's `PUT /internal/flows/{flow_id}/deletion` at segments: answered 204 when nothing of that
    incarnation is left, 202 with the deletion request while the work goes on. Segments sends the same to the same path
    at catalog once that is done."""

    incarnation: Incarnation
