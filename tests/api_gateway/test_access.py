import asyncio
from collections.abc import AsyncIterator

import pytest

from tams_api_gateway.access import AccessLog
from tams_common.clock import ManualClock
from tams_common.http.message import Context, Request, Response
from tests.api_gateway.gateways import World


async def test_one_line_per_request() -> None:
    world = World()
    world.clock.now = 1_700_000_000_123_000_000
    await world.client("read").get("/flows?limit=3", headers={"x-request-id": "r-1"})
    (line,) = world.log()
    assert line.pop("ms") >= 0
    assert line.pop("bytes") > 0
    assert line == {
        "time": "2023-11-14T22:13:20.123Z",
        "level": "info",
        "event": "request",
        "request_id": "r-1",
        "method": "GET",
        "path": "/flows",
        "query": "limit=3",
        "status": 200,
        "subject": "read",
        "remote": "",
    }


async def test_refusals_are_logged_with_their_status() -> None:
    world = World()
    await world.client(None).get("/flows", expect=401)
    await world.client("read").delete("/flows/x", expect=403)
    await world.client("read").get("/other", expect=404)
    assert [(line["status"], line["subject"]) for line in world.log()] == [(401, ""), (403, "read"), (404, "")]


async def test_tokens_and_signatures_are_not_logged() -> None:
    world = World()
    await world.client(None).get("/flows?access_token=all&limit=1")
    await world.client(None).get("/media/k?signature=sesame")
    await world.client("all").get("/flows")
    assert [line["query"] for line in world.log()] == ["access_token=…&limit=1", "signature=…", ""]


async def test_streams_are_logged_with_their_announced_size() -> None:
    log: list[str] = []
    request = Request("GET", "/media/k\udcff")
    access = AccessLog(log.append, pretty=False, clock=ManualClock())
    access.note(request, Response(200, iter_nothing(), {"content-length": "7"}), seconds=0.001)
    assert "/media/k" in log[0]


async def test_pretty_lines() -> None:
    log: list[str] = []
    request = Request("GET", "/flows", query="limit=1")
    request.context = Context("r-1")
    access = AccessLog(log.append, pretty=True, clock=ManualClock(1_700_000_000_123_000_000))
    access.note(request, Response(200, b"x"), seconds=0.0012)
    abandoned = Request("DELETE", "/flows/x")
    abandoned.context = Context("r-2")
    access.note(abandoned, None, seconds=0.5)
    assert log == [
        "2023-11-14T22:13:20.123Z 200 GET    /flows?limit=1 1.2 ms r-1",
        "2023-11-14T22:13:20.123Z 499 DELETE /flows/x 500.0 ms r-2",
    ]


async def test_abandoned_requests_are_logged() -> None:
    began = asyncio.Event()

    async def wait(request: Request) -> Response:
        began.set()
        await asyncio.Event().wait()
        raise AssertionError

    world = World(wait)
    task = asyncio.create_task(world.client().get("/flows"))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [line["status"] for line in world.log()] == [499]


async def test_metrics_by_route_and_not_by_path() -> None:
    world = World()
    for name in ("a", "b"):
        await world.client().get(f"/objects/{name}")
    await world.client().get("/other", expect=404)
    text = world.metrics()
    assert 'tams_requests_total{method="GET",route="/objects/{object_id}",status="200"} 2.0' in text
    assert 'tams_requests_total{method="GET",route="",status="404"} 1.0' in text


async def iter_nothing() -> AsyncIterator[bytes]:
    yield b""
