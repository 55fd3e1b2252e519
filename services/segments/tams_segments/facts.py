"""What catalog knows of a flow, asked on every write (ADR 0006): an answer is kept only to hear that it still holds."""

from collections import OrderedDict
from typing import Final

import msgspec

from tams_common.errors import BadGateway, Forbidden, InvalidInput, NotFound, Unavailable
from tams_common.http.codec import encode_json
from tams_common.http.message import Context, Request, Response
from tams_common.http.transport import Transport
from tams_common.ids import FlowId, Incarnation
from tams_common.model.facts import FlowDeletion, FlowFacts

_KEPT: Final = 4096
_decoder: Final = msgspec.json.Decoder(FlowFacts)


class FlowDirectory:
    """Asks catalog, and remembers the last facts of some flows so that catalog need not repeat them."""

    def __init__(self, catalog: Transport) -> None:
        self._catalog = catalog
        self._seen: OrderedDict[FlowId, FlowFacts] = OrderedDict()

    async def writable(self, flow_id: FlowId, context: Context) -> FlowFacts:
        """The facts of a flow that takes changes now; raises `NotFound`, `Forbidden` (read-only) or `Unavailable`."""
        facts = await self._facts(flow_id, context)
        if facts.read_only:
            raise Forbidden(f"flow {flow_id} is read-only; PUT /flows/{flow_id}/read_only changes that")
        return facts

    async def let_go(self, flow_id: FlowId, incarnation: Incarnation) -> None:
        """Tells catalog that nothing is left here of a creation of a flow that it deletes; again does no harm."""
        body = encode_json(FlowDeletion(incarnation))
        headers = {"content-type": "application/json"}
        response = await self._catalog.send(
            Request("PUT", f"/internal/flows/{flow_id}/deletion", headers=headers, body=body)
        )
        await response.read()
        if response.status != 204:
            raise Unavailable(f"catalog cannot let go of flow {flow_id}: it answered {response.status}")

    async def _facts(self, flow_id: FlowId, context: Context) -> FlowFacts:
        seen = self._seen.get(flow_id)
        headers = {} if seen is None else {"if-none-match": f'"{seen.version}"'}
        request = Request("GET", f"/internal/flows/{flow_id}/facts", headers=headers)
        request.context = context
        response = await self._catalog.send(request)
        if response.status == 304 and seen is not None:
            return seen
        if response.status == 404:
            self._seen.pop(flow_id, None)
            raise NotFound(f"flow {flow_id} does not exist")
        if response.status != 200:
            raise Unavailable(f"catalog cannot tell about flow {flow_id}: it answered {response.status}")
        facts = await _read(response)
        self._seen[flow_id] = facts
        self._seen.move_to_end(flow_id)
        if len(self._seen) > _KEPT:
            self._seen.popitem(last=False)
        return facts


def container_of(flow_id: FlowId, facts: FlowFacts) -> str:
    """The flow's container; raises `InvalidInput` for a flow that has none and therefore no media (SGP-6, STO-7)."""
    if facts.container is None:
        raise InvalidInput(f"flow {flow_id} has no container, so it can have no media of its own", field="container")
    return facts.container


async def _read(response: Response) -> FlowFacts:
    body = await response.read()
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise BadGateway(f"catalog's facts cannot be read: {error}") from error
