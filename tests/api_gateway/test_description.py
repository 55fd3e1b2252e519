"""`/openapi.json` and `/docs`: what the services tell, put together; a page that needs nothing from elsewhere."""

import re

import msgspec

from tams_api_gateway.description import Description
from tams_api_gateway.docs import Docs
from tams_api_gateway.routes import ROUTES
from tams_common.http.app import ServiceApp
from tams_common.http.message import Request, Response
from tams_common.http.openapi import Answer, Operation
from tams_common.http.routing import Route
from tams_common.http.transport import MemoryTransport
from tests.common.http_client import Client


class Thing(msgspec.Struct):
    """A thing."""

    label: str


async def nothing(request: Request) -> Response:
    return Response(204)


def described() -> Client:
    operation = Operation(summary="Things", answers={200: Answer("All.", Thing)}, refusals=(404,))
    catalog = ServiceApp(
        [
            Route("GET", "/flows/{flow_id}", nothing, operation=operation),
            Route("PUT", "/flows/{flow_id}", nothing),
            Route("GET", "/elsewhere", nothing, operation=operation),
        ]
    )
    segments = ServiceApp([Route("GET", "/media/{key}", nothing, operation=operation)])
    empty = MemoryTransport(ServiceApp([]))
    peers = {"catalog": MemoryTransport(catalog), "segments": MemoryTransport(segments), "webhooks": empty}
    docs = Docs()
    return Client(
        ServiceApp(
            [
                Route("GET", "/openapi.json", Description(ROUTES, peers)),
                Route("GET", "/docs", docs.page),
                Route("GET", "/docs/{file}", docs.file),
            ]
        )
    )


async def test_the_document_has_what_is_public_and_described() -> None:
    document = (await described().get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": "http://tams.test"}]
    assert {(path, name) for path, item in document["paths"].items() for name in item} == {
        (path, name) for path in ("/flows/{flowId}", "/media/{key}") for name in ("parameters", "get", "head")
    }
    flow = document["paths"]["/flows/{flowId}"]["get"]
    assert flow["tags"] == ["Flows"]
    assert {"bearer_token_auth": ["tams-api/read"]} in flow["security"]
    media = document["paths"]["/media/{key}"]["get"]
    assert (media["tags"], media["security"]) == (["Extensions"], [])
    assert set(document["components"]["schemas"]) == {"Thing", "Problem"}


async def test_a_service_that_is_down_is_asked_again() -> None:
    status = 503

    async def failing(request: Request) -> Response:
        return Response(status, b'{"paths":{},"components":{"schemas":{}}}')

    peers = {name: MemoryTransport(failing) for name in ("catalog", "segments", "webhooks")}
    client = Client(ServiceApp([Route("GET", "/openapi.json", Description(ROUTES, peers))]))
    await client.get("/openapi.json", expect=503)
    status = 200
    assert (await client.get("/openapi.json")).json()["paths"] == {}


async def test_the_page_loads_only_its_own_files() -> None:
    client = described()
    page = await client.get("/docs")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    files = re.findall(rb'(?:src|href)="([^"]+)"', page.body)
    assert [name for name in files if name != b"data:,"] == [
        b"docs/swagger-ui.css",
        b"docs/swagger-ui-bundle.js",
        b"docs/start.js",
    ]
    for name in files[1:]:
        assert (await client.get(f"/{name.decode()}")).body
    await client.get("/docs/swagger-ui.js", expect=404)
    await client.get("/docs/..%2Fstart.js", expect=404)
