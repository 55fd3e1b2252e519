"""`/internal/**`: what catalog asks; the gateway never routes here."""

from collections.abc import Callable

from tams_common.http.codec import decode_json, json_response, no_content
from tams_common.http.message import Request, Response
from tams_common.http.query import Params
from tams_common.model.facts import FlowDeletion, FlowExtent
from tams_common.store import Store
from tams_common.timerange import ETERNITY
from tams_segments.deleting import Deleter
from tams_segments.handlers.paths import flow_id_of
from tams_segments.reading import span_of_overlapping


class DeleteFlow:
    """PUT deletion. `committed` is called after each change."""

    def __init__(self, deleter: Deleter, *, committed: Callable[[], None]) -> None:
        self._deleter = deleter
        self._committed = committed

    async def __call__(self, request: Request) -> Response:
        """204 when nothing of the flow is left, 202 when the caller has to come again."""
        asked = decode_json(await request.read(), FlowDeletion)
        done = await self._deleter.delete_flow(flow_id_of(request), asked.incarnation)
        self._committed()
        return no_content() if done else Response(202)


class GetExtent:
    """GET extent."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, request: Request) -> Response:
        """The span of the flow's segments that share time with `timerange`, `()` for none (T-42)."""
        flow_id = flow_id_of(request)
        timerange = Params.parse(request.query).timerange("timerange") or ETERNITY
        found = await self._store.read(lambda tx: span_of_overlapping(tx, flow_id, timerange=timerange), bounded=True)
        return json_response(FlowExtent(str(found)))
