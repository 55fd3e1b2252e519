"""The edge against clients that are slow, vanished, malformed or careful."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import structlog

from tams_common.errors import BadGateway, GatewayTimeout, InvalidInput
from tams_common.http import edge as edge_module
from tams_common.http.app import ServiceApp
from tams_common.http.codec import json_response, no_content
from tams_common.http.message import Request, Response
from tams_common.http.routing import Route
from tests.common.eventually import PATIENCE, eventually
from tests.common.http.sockets import exchange, raw_client, read_head, served

CLOSE = b"Host: x\r\nConnection: close\r\n"


async def show(request: Request) -> Response:
    return json_response({"path": request.path, "query": request.query, "name": request.params.get("name")})


async def size(request: Request) -> Response:
    return json_response(len(await request.read()))


async def ignore(request: Request) -> Response:
    return json_response("ignored", 403)


APP = ServiceApp(
    [
        Route("GET", "/", show),
        Route("GET", "/show/{name}", show),
        Route("POST", "/size", size, body_limit=100_000),
        Route("PUT", "/ignore", ignore),
    ]
)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with served(APP) as url:
        yield url


async def test_one_connection_serves_many_requests(url: str) -> None:
    async with raw_client(url) as (reader, writer):
        for number in range(3):
            writer.write(b"GET /show/%d?a=[b HTTP/1.1\r\nHost: x\r\n\r\n" % number)
            head = await read_head(reader)
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"Connection" not in head
            assert await reader.readuntil(b"}") == b'{"path":"/show/%d","query":"a=[b","name":"%d"}' % (number, number)


async def test_requests_may_be_pipelined(url: str) -> None:
    answer = await exchange(url, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2 + b"GET / HTTP/1.1\r\n" + CLOSE + b"\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 3


async def test_an_absolute_target_is_its_path(url: str) -> None:
    answer = await exchange(url, b"GET http://x/show/a%2Fb?c=d HTTP/1.1\r\n" + CLOSE + b"\r\n")
    assert answer.endswith(b'{"path":"/show/a%2Fb","query":"c=d","name":"a/b"}')


async def test_head_has_no_body(url: str) -> None:
    answer = await exchange(url, b"HEAD / HTTP/1.1\r\n" + CLOSE + b"\r\n")
    assert b"content-length: 35\r\n" in answer.lower()
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /show/\xff HTTP/1.1", b"400"),
        (b"GET /show/\xc3\xa9 HTTP/1.1", b"400"),
        (b"GET /show/%zz HTTP/1.1", b"400"),
        (b"GET /show/" + b"x" * 20_000 + b" HTTP/1.1", b"400"),
        (b"GET", b"400"),
        (b"\x16\x03\x01\x02\x00", b"400"),
        (b"PATCH / HTTP/1.1", b"405"),
        (b"OPTIONS * HTTP/1.1", b"404"),
    ],
)
async def test_odd_requests_get_a_problem(url: str, request_line: bytes, status: bytes) -> None:
    answer = await exchange(url, request_line + b"\r\n" + CLOSE + b"\r\n")
    assert answer.split()[1] == status
    assert b"application/problem+json" in answer
    assert b"Traceback" not in answer
    assert b"aiohttp" not in answer


async def test_a_header_that_never_ends_is_refused(url: str) -> None:
    answer = await exchange(url, b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n")
    assert b"application/problem+json" in answer


async def test_the_client_is_told_to_go_on_only_when_the_body_is_wanted(url: str) -> None:
    head = b"Host: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    async with raw_client(url) as (reader, writer):
        writer.write(b"POST /size HTTP/1.1\r\n" + head)
        assert await read_head(reader) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert (await read_head(reader)).startswith(b"HTTP/1.1 200 OK")
        assert await reader.readexactly(1) == b"3"
    async with raw_client(url) as (reader, writer):
        writer.write(b"PUT /ignore HTTP/1.1\r\n" + head)
        answer = await read_head(reader)
        assert answer.startswith(b"HTTP/1.1 403")
        assert b"connection: close" in answer.lower()


async def test_a_small_unread_body_costs_nothing(url: str) -> None:
    async with raw_client(url) as (reader, writer):
        for _ in range(2):
            writer.write(b"PUT /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
            assert b"connection: close" not in (await read_head(reader)).lower()
            assert await reader.readexactly(9) == b'"ignored"'


async def test_an_endless_body_is_not_read_to_its_end(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_module, "LINGER", 0.05)
    async with served(APP) as url, raw_client(url) as (reader, writer):
        writer.write(b"POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")

        async def flood() -> None:
            while True:
                writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                await writer.drain()

        flooding = asyncio.create_task(flood())
        head = await read_head(reader)
        assert head.startswith(b"HTTP/1.1 413")
        assert b"connection: close" in head.lower()
        with pytest.raises(ConnectionError):
            await flooding


async def test_a_body_announced_too_large_is_refused_unread(url: str) -> None:
    async with raw_client(url) as (reader, writer):
        writer.write(b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        assert (await read_head(reader)).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "body",
    [b"Content-Length: 10\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", b"Content-Length: -1\r\n\r\n"],
)
async def test_a_client_that_vanishes_in_its_body_harms_nobody(url: str, body: bytes) -> None:
    async with raw_client(url) as (_, writer):
        writer.write(b"POST /size HTTP/1.1\r\nHost: x\r\n" + body)
        await writer.drain()
    assert (await exchange(url, b"GET / HTTP/1.1\r\n" + CLOSE + b"\r\n")).startswith(b"HTTP/1.1 200")


async def test_a_body_with_broken_chunks_is_the_clients_fault(url: str) -> None:
    head = b"POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with raw_client(url) as (reader, writer):
        writer.write(head + b"zz\r\n")
        assert (await read_head(reader)).split()[1] == b"400"


async def test_a_body_that_stalls_is_given_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_module, "STALL", 0.05)
    async with raw_client(url) as (reader, writer):
        writer.write(b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert (await read_head(reader)).startswith(b"HTTP/1.1 400")


async def test_a_vanished_client_cancels_its_request() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def wait(request: Request) -> Response:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return no_content()

    async with served(ServiceApp([Route("GET", "/x", wait)])) as url:
        async with raw_client(url) as (_, writer):
            writer.write(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            await began.wait()
        await ended.wait()


class Stream:
    """A streamed body that tells when it is closed, and how much of it was asked for."""

    def __init__(self, parts: int, *, fail: Exception | None = None) -> None:
        self.closed = asyncio.Event()
        self.asked = 0
        self._parts = parts
        self._fail = fail

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> bytes:
        self.asked += 1
        if self.asked > self._parts:
            if self._fail:
                raise self._fail
            raise StopAsyncIteration
        return b"x" * 65536

    async def aclose(self) -> None:
        self.closed.set()


def streaming(stream: Stream, headers: dict[str, str]) -> ServiceApp:
    async def handler(request: Request) -> Response:
        return Response(200, stream, headers)

    return ServiceApp([Route("GET", "/x", handler)])


async def test_a_slow_reader_holds_up_only_its_stream() -> None:
    stream = Stream(10_000)
    async with served(streaming(stream, {})) as url:
        async with raw_client(url) as (reader, writer):
            writer.write(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            await read_head(reader)
            assert stream.asked < 1000
        await stream.closed.wait()
    assert stream.asked < 1000


async def test_a_reader_that_stalls_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_module, "STALL", 0.05)
    stream = Stream(10_000)
    async with served(streaming(stream, {})) as url, raw_client(url) as (_, writer):
        writer.write(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        await stream.closed.wait()


@pytest.mark.parametrize(
    ("stream", "headers"),
    [
        (Stream(2, fail=ValueError("disk")), {}),
        (Stream(2, fail=InvalidInput("x")), {"content-length": "999999"}),
        (Stream(2), {"content-length": "999999"}),
    ],
)
async def test_a_stream_that_breaks_is_not_taken_for_complete(stream: Stream, headers: dict[str, str]) -> None:
    async with served(streaming(stream, dict(headers))) as url, raw_client(url) as (reader, writer):
        writer.write(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert not answer.endswith(b"0\r\n\r\n")
    await stream.closed.wait()


@pytest.mark.parametrize("fail", [BadGateway("it gave no valid answer"), GatewayTimeout("it fell silent")])
async def test_a_stream_whose_service_is_gone_is_one_line_of_the_log(
    fail: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    stream = Stream(1, fail=fail)
    with structlog.testing.capture_logs() as logged:
        async with served(streaming(stream, {})) as url, raw_client(url) as (reader, writer):
            writer.write(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            assert not (await reader.read()).endswith(b"0\r\n\r\n")
    assert [(line["event"], line["reason"], "exc_info" in line) for line in logged] == [
        ("response broken off", str(fail), False)
    ]
    assert not caplog.records, "aiohttp has nothing to add"


async def test_a_reader_that_is_gone_leaves_one_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(edge_module, "STALL", 0.05)
    stream = Stream(10_000)
    with structlog.testing.capture_logs() as logged:
        async with served(streaming(stream, {})) as url, raw_client(url) as (_, writer):
            writer.write(b"GET /x?access_token=secret HTTP/1.1\r\nHost: x\r\n\r\n")
            await stream.closed.wait()
    assert [(line["event"], line["path"], "exc_info" in line) for line in logged] == [("client gone", "/x", False)]
    assert not caplog.records, "aiohttp has nothing to add"


async def test_stopping_lets_requests_finish_and_accepts_no_more() -> None:
    began, finish = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Response:
        began.set()
        await finish.wait()
        return json_response("done")

    edge = edge_module.Edge(ServiceApp([Route("GET", "/x", slow)]))
    host, port = await edge.start("127.0.0.1", 0)
    url = f"http://{host}:{port}"
    async with raw_client(url) as (idle, _), raw_client(url) as (reader, writer):
        writer.write(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        await began.wait()
        stopping = asyncio.create_task(edge.stop())
        assert await idle.read() == b""
        with pytest.raises(OSError):
            await asyncio.open_connection(host, port)
        finish.set()
        assert (await reader.read()).endswith(b'"done"')
        await stopping
    await edge.stop()


async def test_stopping_ends_requests_that_do_not_finish() -> None:
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def endless(request: Request) -> Response:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return no_content()

    async with served(ServiceApp([Route("GET", "/x", endless)]), grace=0.05) as url, raw_client(url) as (_, writer):
        writer.write(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        await began.wait()
    await cancelled.wait()


class Endless(Stream):
    """A stream of events that goes on for ever, if slowly."""

    def __init__(self) -> None:
        super().__init__(1)
        self.began = asyncio.Event()

    async def __anext__(self) -> bytes:
        if self.began.is_set():
            await asyncio.Event().wait()
        self.began.set()
        return b": hello\n\n"


async def test_stopping_ends_event_streams_cleanly_and_does_not_wait_for_them() -> None:
    stream = Endless()
    edge = edge_module.Edge(streaming(stream, {"content-type": "text/event-stream"}), grace=PATIENCE)
    host, port = await edge.start("127.0.0.1", 0)
    async with raw_client(f"http://{host}:{port}") as (reader, writer):
        writer.write(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await read_head(reader)).startswith(b"HTTP/1.1 200 OK")
        await reader.readuntil(b": hello\n\n\r\n")
        async with asyncio.timeout(PATIENCE / 2):
            await edge.stop()
        assert await reader.read() == b"0\r\n\r\n"
    assert stream.closed.is_set()


async def test_an_event_stream_that_begins_while_the_edge_stops_ends_at_once() -> None:
    called, answer = asyncio.Event(), asyncio.Event()
    stream = Endless()

    async def late(request: Request) -> Response:
        called.set()
        await answer.wait()
        return Response(200, stream, {"content-type": "text/event-stream"})

    edge = edge_module.Edge(ServiceApp([Route("GET", "/x", late)]), grace=PATIENCE)
    host, port = await edge.start("127.0.0.1", 0)
    async with raw_client(f"http://{host}:{port}") as (reader, writer):
        writer.write(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        await called.wait()
        stopping = asyncio.create_task(edge.stop())
        assert await stopped_listening(host, port)
        answer.set()
        assert (await reader.read()).endswith(b"0\r\n\r\n")
        await stopping
    assert stream.closed.is_set()


async def stopped_listening(host: str, port: int) -> bool:
    """Whether the edge has stopped listening."""

    async def refused() -> bool:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            return True
        writer.close()
        return False

    return await eventually(refused)


async def test_a_gone_reader_of_events_is_noticed() -> None:
    stream = Endless()
    async with served(streaming(stream, {"content-type": "text/event-stream"})) as url:
        async with raw_client(url) as (reader, writer):
            writer.write(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            await read_head(reader)
        await stream.closed.wait()


async def test_only_a_trusted_peer_sets_the_context() -> None:
    async def who(request: Request) -> Response:
        return json_response([request.context.request_id, request.context.principal.subject, request.remote])

    app = ServiceApp([Route("GET", "/x", who)])
    head = b'GET /x HTTP/1.1\r\nX-Tams-Request-Id: 7\r\nX-Tams-Principal: {"subject":"a","scopes":[]}\r\n'
    async with served(app, trusted=True) as url:
        assert (await exchange(url, head + CLOSE + b"\r\n")).endswith(b'["7","a","127.0.0.1"]')
        bad = await exchange(url, b"GET /x HTTP/1.1\r\nX-Tams-Principal: nobody\r\n" + CLOSE + b"\r\n")
        assert bad.startswith(b"HTTP/1.1 400")
    async with served(app) as url:
        assert (await exchange(url, head + CLOSE + b"\r\n")).endswith(b'["","","127.0.0.1"]')
