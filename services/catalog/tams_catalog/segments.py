"""What catalog asks of the segments service."""

from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from tams_common.errors import Unavailable
from tams_common.http.codec import decode_json, encode_json
from tams_common.http.message import Context, Request
from tams_common.http.transport import Transport
from tams_common.ids import FlowId, Incarnation
from tams_common.model.facts import FlowDeletion, FlowExtent
from tams_common.timerange import TimeRange

_JSON: Final = {"content-type": "application/json"}


class Segments:
    """The segments service behind `transport`. All methods raise `Unavailable` or a gateway's error when it fails."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def extent(self, flow_id: FlowId, within: TimeRange, *, context: Context) -> str:
        """The span of the flow's segments that overlap `within`, as a timerange (FLW-11)."""
        query = f"timerange={quote(str(within), safe='')}"
        request = Request("GET", f"/internal/flows/{flow_id}/extent", query=query)
        status, body = await self._send(request, context)
        if status != HTTPStatus.OK:
            raise _unexpected(flow_id, status)
        return decode_json(body, FlowExtent).timerange

    async def delete(self, flow_id: FlowId, incarnation: Incarnation, *, context: Context) -> bool:
        """Asks for the removal of all that belongs to this creation of the flow; whether nothing is left."""
        body = encode_json(FlowDeletion(incarnation))
        request = Request("PUT", f"/internal/flows/{flow_id}/deletion", headers=_JSON, body=body)
        status, _ = await self._send(request, context)
        if status not in (HTTPStatus.NO_CONTENT, HTTPStatus.ACCEPTED):
            raise _unexpected(flow_id, status)
        return status == HTTPStatus.NO_CONTENT

    async def _send(self, request: Request, context: Context) -> tuple[int, bytes]:
        request.context = context
        response = await self._transport.send(request)
        return response.status, await response.read()


def _unexpected(flow_id: FlowId, status: int) -> Unavailable:
    return Unavailable(f"segments cannot tell about flow {flow_id}: it answered {status}")
