"""What catalog asks of the segments service."""

from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from tams_common.errors import Unavailable
from tams_common.http.codec import decode_json, encode_json
from tams_common.http.message import Context, Request, Response
from tams_common.http.transport import Transport
from tams_common.ids import FlowId, Incarnation
from tams_common.model.facts import FlowDeletion, FlowExtent
from tams_common.timerange import TimeRange

_JSON: Final = {"content-type": "application/json"}


class UnderWay(Struct, frozen=True):
    """A deletion that segments carries on by itself: the deletion request as the API shows it, and where it is."""

    location: str
    body: bytes


class Segments:
    """The segments service behind `transport`. All methods raise `Unavailable` or a gateway's error when it fails."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def extent(self, flow_id: FlowId, within: TimeRange, *, context: Context) -> str:
        """The span of the flow's segments that overlap `within`, as a timerange (FLW-11)."""
        query = f"timerange={quote(str(within), safe='')}"
        request = Request("GET", f"/internal/flows/{flow_id}/extent", query=query)
        response, body = await self._send(request, context)
        if response.status != HTTPStatus.OK:
            raise _unexpected(flow_id, response.status)
        return decode_json(body, FlowExtent).timerange

    async def delete(self, flow_id: FlowId, incarnation: Incarnation, *, context: Context) -> UnderWay | None:
        """Asks for the removal of all that belongs to this creation of the flow; None when nothing is left."""
        body = encode_json(FlowDeletion(incarnation))
        request = Request("PUT", f"/internal/flows/{flow_id}/deletion", headers=_JSON, body=body)
        response, body = await self._send(request, context)
        if response.status == HTTPStatus.NO_CONTENT:
            return None
        if response.status != HTTPStatus.ACCEPTED:
            raise _unexpected(flow_id, response.status)
        return UnderWay(response.headers.get("location", ""), body)

    async def _send(self, request: Request, context: Context) -> tuple[Response, bytes]:
        request.context = context
        response = await self._transport.send(request)
        return response, await response.read()


def _unexpected(flow_id: FlowId, status: int) -> Unavailable:
    return Unavailable(f"segments cannot tell about flow {flow_id}: it answered {status}")
