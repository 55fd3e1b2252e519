"""The server: an `App` on a socket, by aiohttp's low-level server (an `aiohttp.web.Application` costs more)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from aiohttp import ClientError, web
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from tams_common.errors import InvalidInput, TamsError
from tams_common.http.context import read_context
from tams_common.http.message import Body, Request, Response, close_body
from tams_common.http.problems import problem_response
from tams_common.http.transport import App
from tams_common.logging import REQUEST_ID

KEEPALIVE: Final = 75.0
"""Seconds that an idle connection is kept: longer than clients' pools do, so that they never write to a closed one."""
STALL: Final = 60.0
"""Seconds without a byte after which a peer counts as gone."""
LINGER: Final = 2.0
"""Seconds for which an unread body is still taken in, so that the client gets to see the answer."""
MAX_LINE: Final = 16 * 1024
"""Bytes of a request line, and of a header field."""
SERVER: Final = "tams"
EVENT_STREAM: Final = "text/event-stream"
"""The type of bodies that have no end of their own: they end when the edge stops, and clients ask again."""

_log = structlog.stdlib.get_logger()


class Edge:
    """Serves `app`. With `trusted` the `x-tams-*` headers are the context: the peer is a gateway or another service.

    `grace` is how many seconds requests in progress get when the edge stops.
    """

    def __init__(self, app: App, *, trusted: bool = False, grace: float = 20.0) -> None:
        self._app = app
        self._trusted = trusted
        self._grace = grace
        self._web: _Server | None = None
        self._server: asyncio.Server | None = None
        self._stopping = False
        self._endless: set[asyncio.Timeout] = set()

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listens, and returns the address; port 0 takes a free one. Raises `OSError`."""
        self._web = _Server(
            self._handle,
            handler_cancellation=True,
            keepalive_timeout=KEEPALIVE,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            lingering_time=LINGER,
            auto_decompress=False,
            access_log=None,
        )
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._web, host, port, backlog=1024)
        address = self._server.sockets[0].getsockname()
        return str(address[0]), int(address[1])

    async def stop(self) -> None:
        """Stops accepting, ends event streams, lets requests in progress finish, closes every connection."""
        if self._server is None or self._web is None:
            return
        self._stopping = True
        self._server.close()
        for life in self._endless:
            life.reschedule(asyncio.get_running_loop().time())
        self._web.pre_shutdown()
        await self._web.shutdown(self._grace)
        await self._server.wait_closed()
        self._server = self._web = None

    async def _handle(self, incoming: BaseRequest) -> web.StreamResponse:
        response = await self._answer(incoming)
        headers = response.headers
        headers["server"] = SERVER
        if isinstance(response.body, bytes):
            answer = web.Response(status=response.status, body=response.body, headers=headers)
            if not incoming.content.is_eof():
                answer.force_close()
            return answer
        return await self._stream(incoming, response)

    async def _stream(self, incoming: BaseRequest, response: Response) -> web.StreamResponse:
        """Sends a body as it is produced; when that fails, the connection is cut: nobody takes it for complete."""
        body = response.body
        assert not isinstance(body, bytes)  # noqa: S101 — `_handle` sends those
        answer = web.StreamResponse(status=response.status, headers=response.headers)
        if not incoming.content.is_eof():
            answer.force_close()
        try:
            await answer.prepare(incoming)
            if answer.content_type == EVENT_STREAM:
                await self._send_until_stopped(answer, body)
            else:
                await _send(answer, body)
            async with asyncio.timeout(LINGER if self._stopping else STALL):
                await answer.write_eof()
        except (ConnectionError, TimeoutError) as error:
            _log.info("client gone", **_named(incoming))
            raise ConnectionResetError("the client is gone") from error
        except TamsError as error:
            _log.warning("response broken off", **_named(incoming), reason=error.detail)
            raise ConnectionResetError("the response was broken off") from error
        except Exception as error:
            _log.error("response broken off", **_named(incoming), exc_info=error)
            raise ConnectionResetError("the response was broken off") from error
        finally:
            await close_body(body)
        return answer

    async def _send_until_stopped(self, answer: web.StreamResponse, body: AsyncIterator[bytes]) -> None:
        life = asyncio.timeout(0 if self._stopping else None)
        try:
            async with life:
                self._endless.add(life)
                try:
                    await _send(answer, body)
                finally:
                    self._endless.discard(life)
        except TimeoutError:
            if not life.expired():
                raise

    async def _answer(self, incoming: BaseRequest) -> Response:
        target = incoming.raw_path
        if not target.startswith("/"):
            target = _relative(target)
        path, _, query = target.partition("?")
        headers = incoming.headers
        request = Request(incoming.method, path, query=query, headers=headers, body=_body(incoming))
        request.remote = incoming.remote or ""
        if self._trusted:
            try:
                request.context = read_context(headers)
            except TamsError as error:
                return problem_response(error, request)
            REQUEST_ID.set(request.context.request_id)
        return await self._app(request)


class _Connection(RequestHandler):
    """A connection whose malformed requests are answered like all other errors. One that is to be cut is cut without a
    word: whoever wants it cut has logged why."""

    __slots__ = ()

    def handle_error(
        self, request: BaseRequest, status: int = 500, _exc: BaseException | None = None, _message: str | None = None
    ) -> web.StreamResponse:
        if isinstance(_exc, ConnectionError):
            raise _exc
        if status != 400:
            return super().handle_error(request, status, _exc, _message)
        what = str(_message or _exc or "").partition("\n")[0].rstrip(":")
        problem = problem_response(InvalidInput(f"this is not valid HTTP: {what}"), Request("", "/"))
        assert isinstance(problem.body, bytes)  # noqa: S101 — problems are never streamed
        answer = web.Response(status=problem.status, body=problem.body, headers={**problem.headers, "server": SERVER})
        answer.force_close()
        return answer


class _Server(web.Server):
    def __init__(self, handler: Any, *, handler_cancellation: bool, **options: Any) -> None:  # noqa: ANN401
        super().__init__(handler, handler_cancellation=handler_cancellation)
        self._options = options

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=asyncio.get_running_loop(), **self._options)


class _Incoming:
    """A request's body as it arrives. The client is told to go on (`Expect: 100-continue`) when it is first read."""

    __slots__ = ("_expects", "_request")

    def __init__(self, request: BaseRequest) -> None:
        self._request = request
        self._expects = request.headers.get("expect", "").lower() == "100-continue"

    def __aiter__(self) -> "_Incoming":
        return self

    async def __anext__(self) -> bytes:
        try:
            if self._expects:
                self._expects = False
                await self._request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                self._request.writer.output_size = 0
            async with asyncio.timeout(STALL):
                part = await self._request.content.readany()
        except TimeoutError:
            raise InvalidInput(f"no byte of the body came for {STALL:.0f} seconds") from None
        except (ConnectionError, ClientError, web.RequestPayloadError) as error:
            raise InvalidInput(f"the body ended before its end: {error}") from error
        if not part:
            raise StopAsyncIteration
        return part


def _body(incoming: BaseRequest) -> Body:
    if not incoming.body_exists:
        return b""
    content = incoming.content
    if content.is_eof() and content.exception() is None:
        return content.read_nowait()
    return _Incoming(incoming)


def _relative(target: str) -> str:
    """The path and query of an absolute target, or of one of the odd forms that no route has."""
    url = urlsplit(target)
    return f"{url.path or '/'}?{url.query}" if url.scheme else f"/{target}"


def _named(incoming: BaseRequest) -> dict[str, str]:
    """What the log calls a request: its query may hold secrets."""
    return {"method": incoming.method, "path": incoming.raw_path.partition("?")[0]}


async def _send(answer: web.StreamResponse, body: AsyncIterator[bytes]) -> None:
    missing = answer.content_length
    async for part in body:
        async with asyncio.timeout(STALL):
            await answer.write(part)
        missing = None if missing is None else missing - len(part)
    if missing:
        raise ValueError(f"the body has {missing} bytes less than announced")
