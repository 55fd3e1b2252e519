"""`/internal/**`: what catalog asks; the gateway never routes here."""

from tams_common.http.codec import json_response
from tams_common.http.message import Request, Response
from tams_common.http.query import Params
from tams_common.model.facts import FlowExtent
from tams_common.store import Reader, Store
from tams_common.timerange import ETERNITY, TimeRange
from tams_segments.handlers.paths import flow_id_of
from tams_segments.reading import bounded, span_of_overlapping


class GetExtent:
    """GET extent."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, request: Request) -> Response:
        """The span of the flow's segments that share time with `timerange`, `()` for none (T-42)."""
        flow_id = flow_id_of(request)
        timerange = Params.parse(request.query).timerange("timerange") or ETERNITY

        def read(tx: Reader, patient: bool) -> TimeRange:
            return span_of_overlapping(tx, flow_id, timerange=timerange, patient=patient)

        found = await bounded(self._store, read)
        return json_response(FlowExtent(str(found)))
