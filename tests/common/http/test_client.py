"""The HTTP transport against services that are slow, absent, broken or gone."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import NoReturn

import pytest
from multidict import CIMultiDict

from tams_common.auth import READ, Principal
from tams_common.errors import BadGateway, GatewayTimeout, TamsError, TooLarge, Unavailable
from tams_common.http import client as client_module
from tams_common.http.message import Context, Request, close_body
from tests.common.http.sockets import connected, raw_server, read_head, refusing

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Script:
    """A server that plays one answer per connection, the last one again and again; None hangs up without one."""

    def __init__(self, *answers: bytes | None, then_close: bool = True) -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self._answers = answers
        self._then_close = then_close

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = self._answers[min(self.connections, len(self._answers) - 1)]
        self.connections += 1
        try:
            while not reader.at_eof():
                self.heads.append(await read_head(reader))
                if answer is not None:
                    writer.write(answer)
                if answer is None or self._then_close:
                    return
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()


async def failure(url: str, request: Request) -> TamsError:
    async with connected(url) as transport:
        with pytest.raises(TamsError) as caught:
            await transport.send(request)
    return caught.value


async def test_refused_connections_are_unavailable() -> None:
    with refusing() as url:
        assert isinstance(await failure(url, Request("GET", "/")), Unavailable)


async def test_names_that_do_not_resolve_are_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: object, **_kwargs: object) -> NoReturn:
        """Stands for `socket.getaddrinfo`: what a machine's resolver does with a name, and how soon, differs."""
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert isinstance(await failure("http://tams-nowhere.invalid:1", Request("GET", "/")), Unavailable)


async def test_streams_without_an_end_keep_nobody_from_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "POOL", 1)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(endless if b"GET /events" in head else OK)
        await reader.read()
        writer.close()

    async with raw_server(answer) as url, connected(url) as transport, AsyncExitStack() as streams:
        for _ in range(2):
            request = Request("GET", "/events")
            request.endless = True
            response = await transport.send(request)
            streams.push_async_callback(close_body, response.body)
            assert response.status == 200
        assert (await transport.send(Request("GET", "/"))).body == b"ok"


async def test_what_is_no_http_is_a_bad_gateway() -> None:
    async with raw_server(Script(b"SSH-2.0-OpenSSH_9.6\r\n")) as url:
        assert isinstance(await failure(url, Request("GET", "/")), BadGateway)


async def test_a_dropped_connection_is_a_bad_gateway() -> None:
    async with raw_server(Script(None)) as url:
        assert isinstance(await failure(url, Request("POST", "/", body=b"x")), BadGateway)


async def test_a_body_cut_short_is_a_bad_gateway() -> None:
    async with raw_server(Script(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")) as url:
        assert isinstance(await failure(url, Request("GET", "/")), BadGateway)


async def test_a_stream_cut_short_fails_where_it_is_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"
    async with raw_server(Script(head)) as url, connected(url) as transport:
        response = await transport.send(Request("GET", "/"))
        with pytest.raises(BadGateway):
            await response.read()


async def test_silence_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "READ", 0.05)
    async with raw_server(Script(b"", then_close=False)) as url:
        assert isinstance(await failure(url, Request("GET", "/")), GatewayTimeout)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_reads_are_repeated_once_when_the_connection_is_lost(method: str) -> None:
    script = Script(None, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    async with raw_server(script) as url, connected(url) as transport:
        assert (await transport.send(Request(method, "/"))).status == 200
    assert script.connections == 2


async def test_reads_are_not_repeated_twice() -> None:
    script = Script(None, None, OK)
    async with raw_server(script) as url:
        assert isinstance(await failure(url, Request("GET", "/")), BadGateway)
    assert script.connections == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_writes_are_never_repeated(method: str) -> None:
    script = Script(None, OK)
    async with raw_server(script) as url:
        assert isinstance(await failure(url, Request(method, "/")), BadGateway)
    assert script.connections == 1


async def test_connections_are_kept() -> None:
    script = Script(OK, then_close=False)
    async with raw_server(script) as url, connected(url) as transport:
        for _ in range(5):
            assert await (await transport.send(Request("GET", "/"))).read() == b"ok"
    assert (script.connections, len(script.heads)) == (1, 5)


async def test_what_belongs_to_one_hop_or_to_the_gateway_stays_behind() -> None:
    script = Script(
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close, X-Own\r\nX-Own: 1\r\nServer: x\r\n"
        b"Keep-Alive: timeout=5\r\nX-Kept: 1\r\nX-Kept: 2\r\n\r\n"
    )
    sent = {
        "Connection": "keep-alive, X-Mine",
        "X-Mine": "1",
        "Keep-Alive": "timeout=5",
        "TE": "trailers",
        "Upgrade": "h2c",
        "Proxy-Authorization": "Basic x",
        "Authorization": "Bearer secret",
        "Host": "public.example.com",
        "X-Tams-Principal": '{"subject":"forged","scopes":["tams-api/admin"]}',
        "X-Kept": "1",
    }
    request = Request("GET", "/a?", headers=CIMultiDict(sent))
    request.context = Context("id", "http://x", Principal("real", frozenset({READ})))
    async with raw_server(script) as url, connected(url) as transport:
        response = await transport.send(request)
    head = script.heads[0].decode().lower()
    for name in ("x-mine", "keep-alive", "te", "upgrade", "proxy-authorization", "authorization"):
        assert f"\r\n{name}:" not in head
    assert "public.example.com" not in head
    assert "forged" not in head
    assert "user-agent" not in head
    assert '\r\nx-tams-principal: {"subject":"real","scopes":["tams-api/read"]}\r\n' in head
    assert "\r\nx-kept: 1\r\n" in head
    assert response.headers == {"content-length": "0", "x-kept": "1, 2"}


async def test_compressed_bodies_pass_as_they_are() -> None:
    async with (
        raw_server(
            Script(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08")
        ) as url,
        connected(url) as transport,
    ):
        response = await transport.send(Request("GET", "/"))
    assert response.body == b"\x1f\x8b\x08"
    assert response.headers["content-encoding"] == "gzip"


async def test_redirects_are_the_clients_business() -> None:
    async with (
        raw_server(Script(b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n")) as url,
        connected(url) as transport,
    ):
        assert (await transport.send(Request("GET", "/"))).status == 302


async def test_an_answer_before_the_upload_ends_is_the_answer() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    script = Script(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", then_close=False)
    async with raw_server(script) as url, connected(url) as transport:
        response = await transport.send(Request("PUT", "/", body=endless()))
        assert (response.status, await response.read()) == (403, b"no")


async def test_an_error_of_the_sender_is_the_senders() -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"x"
        raise TooLarge("the sender's limit")

    async with raw_server(Script(b"", then_close=False)) as url:
        assert isinstance(await failure(url, Request("PUT", "/", body=failing())), TooLarge)
