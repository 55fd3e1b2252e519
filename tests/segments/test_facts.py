"""What is asked of catalog: a store that cannot tell is not a store without the flow."""

import pytest

from tams_common.errors import BadGateway, NotFound, Unavailable
from tams_common.http.app import ServiceApp
from tams_common.http.message import Context, Request, Response
from tams_common.http.routing import Route
from tams_common.http.transport import MemoryTransport
from tams_common.ids import FlowId
from tams_segments.facts import FlowDirectory
from tests.segments.rig import FLOW, Catalog


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Response(500, b"{}"), Unavailable),
        (Response(503, b"{}"), Unavailable),
        (Response(304), Unavailable),
        (Response(404, b"{}"), NotFound),
        (Response(200, b"<html>"), BadGateway),
        (Response(200, b"{}"), BadGateway),
    ],
)
async def test_answers_that_are_no_facts(answer: Response, error: type[Exception]) -> None:
    async def facts(_request: Request) -> Response:
        return answer

    app = ServiceApp((Route("GET", "/internal/flows/{flow_id}/facts", facts),))
    with pytest.raises(error):
        await FlowDirectory(MemoryTransport(app)).writable(FlowId(FLOW), Context())


async def test_absence_is_never_remembered() -> None:
    catalog = Catalog()
    directory = FlowDirectory(MemoryTransport(catalog.app))
    with pytest.raises(NotFound):
        await directory.writable(FlowId(FLOW), Context())
    made = catalog.put(FLOW)
    assert await directory.writable(FlowId(FLOW), Context()) == made
    assert await directory.writable(FlowId(FLOW), Context()) == made
    del catalog.flows[FLOW]
    with pytest.raises(NotFound):
        await directory.writable(FlowId(FLOW), Context())
    catalog.put(FLOW)
    await directory.writable(FlowId(FLOW), Context())
    assert catalog.asked == [None, None, '"1"', '"1"', None]
