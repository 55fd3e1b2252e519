"""The segments service as catalog sees it: its two internal routes, answering what a test wants to hear."""

from tams_common.http.app import ServiceApp
from tams_common.http.codec import decode_json, json_response
from tams_common.http.message import Request, Response
from tams_common.http.routing import Route
from tams_common.model.facts import FlowDeletion, FlowExtent

LOCATION = "http://tams.test/flow-delete-requests/1"
UNDER_WAY = {"id": "1", "status": "created"}


class SegmentsStandIn:
    """`deletion` is the status for the next deletions, but those of flows in `fails`; what was asked stands in
    `deletions` and `ranges`."""

    def __init__(self) -> None:
        self.deletion = 204
        self.fails: set[str] = set()
        self.extent = "()"
        self.extent_status = 200
        self.deletions: list[tuple[str, str]] = []
        self.ranges: list[str] = []
        self.app = ServiceApp(
            [
                Route("PUT", "/internal/flows/{flow_id}/deletion", self._delete),
                Route("GET", "/internal/flows/{flow_id}/extent", self._extent),
            ]
        )

    async def _delete(self, request: Request) -> Response:
        asked = decode_json(await request.read(), FlowDeletion)
        self.deletions.append((request.params["flow_id"], asked.incarnation))
        if self.deletion == 202:
            return json_response(UNDER_WAY, 202, headers={"location": LOCATION})
        return Response(500 if request.params["flow_id"] in self.fails else self.deletion)

    async def _extent(self, request: Request) -> Response:
        self.ranges.append(request.query)
        return json_response(FlowExtent(self.extent), self.extent_status)
