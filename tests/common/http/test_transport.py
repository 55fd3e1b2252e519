"""One suite for both transports: in memory and by HTTP through a real socket."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from tams_common.auth import READ, WRITE, Principal
from tams_common.http.app import ServiceApp
from tams_common.http.codec import json_response, no_content
from tams_common.http.message import Context, Request, Response
from tams_common.http.routing import Route
from tams_common.http.transport import App, Transport
from tests.common.http.sockets import Reach, by_http, in_memory
from tests.common.http_client import Client

MANY = 40
CHUNK = bytes(range(256)) * 1024


async def mirror(request: Request) -> Response:
    context = request.context
    return json_response(
        {
            "path": request.path,
            "query": request.query,
            "params": dict(request.params),
            "seen": request.headers.get("x-seen"),
            "request_id": context.request_id,
            "base_url": context.base_url,
            "subject": context.principal.subject,
            "scopes": sorted(context.principal.scopes),
        },
        headers={"etag": '"x"', "link": '<http://a/b%2Cc>; rel="next"'},
    )


async def swallow(request: Request) -> Response:
    digest, size = hashlib.sha256(), 0
    async for part in request.stream():
        digest.update(part)
        size += len(part)
    return json_response({"sha256": digest.hexdigest(), "size": size})


async def read(request: Request) -> Response:
    return json_response({"size": len(await request.read())})


async def pour(request: Request) -> Response:
    return Response(200, chunks(), {"content-type": "video/mp2t", "content-length": str(MANY * len(CHUNK))})


async def pour_unannounced(request: Request) -> Response:
    return Response(206, chunks(), {"content-type": "video/mp2t"})


async def nothing(request: Request) -> Response:
    return no_content({"x-deleted": "yes"})


async def unchanged(request: Request) -> Response:
    return Response(304, b"", {"etag": '"x"'})


async def chunks() -> AsyncIterator[bytes]:
    for _ in range(MANY):
        yield CHUNK


APP = ServiceApp(
    [
        Route("GET", "/mirror/{name}", mirror),
        Route("PUT", "/swallow", swallow),
        Route("POST", "/read", read, body_limit=1000),
        Route("GET", "/pour", pour),
        Route("GET", "/pour-unannounced", pour_unannounced),
        Route("DELETE", "/nothing", nothing),
        Route("GET", "/unchanged", unchanged),
    ]
)


@pytest.fixture(params=[in_memory, by_http])
def reach(request: pytest.FixtureRequest) -> Reach:
    chosen: Reach = request.param
    return chosen


@pytest.fixture
async def transport(reach: Reach) -> AsyncIterator[Transport]:
    async with reach(APP) as transport:
        yield transport


async def test_paths_and_queries_arrive_as_they_were_sent(transport: Transport) -> None:
    path, query = "/mirror/a%2F..%2F%2e%20%C3%A9", "t=[0:0_1:0)&u=%5B%5d&v=a+b&access_token=x"
    answer = await Client(transport).get(f"{path}?{query}")
    assert answer.json()["path"] == path
    assert answer.json()["query"] == query
    assert answer.json()["params"] == {"name": "a/../. é"}


@pytest.mark.parametrize("path", ["/mirror/..", "/mirror/.", "/mirror/%2E%2E", "/mirror/a%2Fb"])
async def test_dots_stay_what_they_are(transport: Transport, path: str) -> None:
    assert (await Client(transport).get(path)).json()["path"] == path


async def test_context_goes_along(transport: Transport) -> None:
    context = Context("id-1", "https://media.example.com/tams", Principal("studio é", frozenset({READ, WRITE})))
    seen = (await Client(transport, context=context).get("/mirror/x")).json()
    assert (seen["request_id"], seen["base_url"]) == ("id-1", "https://media.example.com/tams")
    assert (seen["subject"], seen["scopes"]) == ("studio é", [READ, WRITE])


async def test_calls_of_services_are_anonymous(transport: Transport) -> None:
    seen = (await Client(transport, context=Context()).get("/mirror/x")).json()
    assert (seen["subject"], seen["scopes"], seen["request_id"]) == ("", [], "")


async def test_headers_go_along_both_ways(transport: Transport) -> None:
    answer = await Client(transport).get("/mirror/x", headers={"x-seen": "yes"})
    assert answer.json()["seen"] == "yes"
    assert answer.headers["etag"] == '"x"'
    assert answer.headers["link"] == '<http://a/b%2Cc>; rel="next"'
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("announced", [True, False])
async def test_bodies_stream_up(transport: Transport, announced: bool) -> None:
    request = Request("PUT", "/swallow", body=chunks())
    if announced:
        request.headers = {"content-length": str(MANY * len(CHUNK))}
    response = await transport.send(request)
    assert response.status == 200
    digest = hashlib.sha256(CHUNK * MANY).hexdigest().encode()
    assert await response.read() == b'{"sha256":"%s","size":%d}' % (digest, MANY * len(CHUNK))


@pytest.mark.parametrize("path", ["/pour", "/pour-unannounced"])
async def test_bodies_stream_down(transport: Transport, path: str) -> None:
    response = await transport.send(Request("GET", path))
    assert not isinstance(response.body, bytes)
    assert response.headers["content-type"] == "video/mp2t"
    assert await response.read() == CHUNK * MANY


async def test_a_stream_that_nobody_reads_is_let_go(transport: Transport) -> None:
    response = await transport.send(Request("GET", "/pour"))
    assert not isinstance(response.body, bytes)
    async for part in response.body:
        assert part
        break
    await response.body.aclose()  # type: ignore[attr-defined]
    await Client(transport).get("/mirror/x")


async def test_responses_without_bodies(transport: Transport) -> None:
    client = Client(transport)
    assert (await client.delete("/nothing")).headers["x-deleted"] == "yes"
    answer = await client.get("/unchanged", expect=304)
    assert (answer.body, answer.headers["etag"]) == (b"", '"x"')
    answer = await client.head("/pour")
    assert answer.headers["content-length"] == str(MANY * len(CHUNK))
    body = (await client.get("/mirror/x")).body
    assert (await client.head("/mirror/x")).headers["content-length"] == str(len(body))


async def test_problems_come_through(transport: Transport) -> None:
    client = Client(transport)
    assert (await client.get("/other", expect=404)).json()["status"] == 404
    assert (await client.get("/mirror/%zz", expect=400)).json()["status"] == 400
    assert (await client.put("/read", {}, expect=405)).headers["allow"] == "OPTIONS, POST"


async def test_limits_hold_for_announced_and_unannounced_bodies(transport: Transport) -> None:
    assert (await Client(transport).post("/read", "x" * 900, expect=200)).json() == {"size": 902}
    await Client(transport).post("/read", "x" * 1000, expect=413)


async def test_a_cancelled_request_is_cancelled_at_the_service(reach: Reach) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def wait(request: Request) -> Response:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return no_content()

    app: App = ServiceApp([Route("GET", "/wait", wait)])
    async with reach(app) as transport:
        task = asyncio.create_task(transport.send(Request("GET", "/wait")))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await ended.wait()


async def test_many_at_once(transport: Transport) -> None:
    client = Client(transport)
    answers = await asyncio.gather(*(client.get(f"/mirror/{number}") for number in range(100)))
    assert [answer.json()["params"]["name"] for answer in answers] == [str(number) for number in range(100)]
