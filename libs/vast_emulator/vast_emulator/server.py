"""The emulator as a server: sockets, connections that break on request, and threads for the engine's work."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import structlog
from aiohttp import web

from vast_emulator import versions
from vast_emulator.control import PREFIX, Control
from vast_emulator.counters import Counters
from vast_emulator.engine.errors import EngineError
from vast_emulator.engine.port import EnginePort
from vast_emulator.faults import Fault, Faults, Kind
from vast_emulator.handlers.face import Face
from vast_emulator.message import Answer, Call
from vast_emulator.refusals import document, refusal
from vast_emulator.routes import route
from vast_emulator.signing import verify
from vast_emulator.wire.framing import FAILED

REQUEST_BYTES = 5 << 20
"""The largest body a request may have; the SDK cuts its writes below that."""

# A streamed answer goes out in pieces of about this many bytes.
_PIECE = 256 << 10
_WORKERS = 8

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Settings:
    """Where to listen (port 0: a free one), which secret belongs to which access key, which version to be.

    Without `control` there is nothing below `/__control__/`.
    """

    host: str = "127.0.0.1"
    port: int = 0
    keys: Mapping[str, str] = field(default_factory=lambda: {"test": "test"})
    version: str = versions.DEFAULT
    control: bool = True


class Emulator:
    """Serves one engine; the caller opens and closes the engine."""

    def __init__(self, engine: EnginePort, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()
        self.counters = Counters()
        self.faults = Faults()
        self._face = Face(engine, self.counters, versions.version(self._settings.version))
        self._control = Control(engine, self.counters, faults=self.faults)
        self._threads: ThreadPoolExecutor | None = None
        self._runner: web.ServerRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """The endpoint to give to the SDK, once started."""
        return f"http://{self._settings.host}:{self._port}"

    async def start(self) -> None:
        """Listens when it returns."""
        self._threads = ThreadPoolExecutor(_WORKERS, thread_name_prefix="vast-emulator")
        # A select of many sub-splits sends a header for each.
        server = web.Server(self._serve, access_log=None, max_headers=16_384)
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port, backlog=1024)
        await site.start()
        self._port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Closes every connection; what is being worked on is finished first."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._threads is not None:
            await asyncio.to_thread(self._threads.shutdown)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        call = Call.parse(request.method, request.raw_path, headers=request.headers)
        if self._settings.control and call.path[:1] == (PREFIX,):
            call = replace(call, body=await request.content.read())
            return await self._send(request, await self._in_thread(call, controlled=True), fault=None)
        self.counters.request(call.kind, "/".join(call.path))
        fault = self.faults.take(call)
        if fault is not None and fault.kind is Kind.SLOW:
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.kind is Kind.DROP:
            return _hang_up(request)
        body = await _read(request)
        if body is None:
            return await self._send(request, _too_large(call), fault=None)
        call = replace(call, body=body)
        answer = _refused(fault, call) or await self._in_thread(call, controlled=False)
        if fault is not None and fault.kind is Kind.LOSE_ANSWER:
            return _hang_up(request)
        return await self._send(request, answer, fault=fault)

    async def _in_thread(self, call: Call, *, controlled: bool) -> Answer:
        work = self._control.answer if controlled else self._work
        return await asyncio.get_running_loop().run_in_executor(self._threads, _guarded, work, call)

    def _work(self, call: Call) -> Answer:
        verify(call, self._settings.keys)
        answer = route(call)(self._face, call)
        # An error before the first piece is still a status; later it can only be a frame of the stream.
        return answer if answer.chunks is None else replace(answer, body=_piece(answer.chunks))

    async def _send(self, request: web.BaseRequest, answer: Answer, *, fault: Fault | None) -> web.StreamResponse:
        self.counters.status(answer.status)
        headers = {"Server": self._face.version.server_header, **answer.headers}
        if answer.chunks is None:
            if fault is not None and fault.kind is Kind.CUT:
                return _hang_up(request)
            whole = web.Response(status=answer.status, body=answer.body, headers=headers)
            if answer.status == 400 and not request.content.at_eof():
                whole.force_close()
            return whole
        response = web.StreamResponse(status=answer.status, headers=headers)
        response.enable_chunked_encoding()
        await response.prepare(request)
        if fault is not None and fault.kind in {Kind.CUT, Kind.FAIL_STREAM}:
            return await _break(request, response, fault=fault, piece=answer.body)
        await self._stream(response, answer.chunks, first=answer.body)
        return response

    async def _stream(self, response: web.StreamResponse, chunks: Iterator[bytes], *, first: bytes) -> None:
        loop = asyncio.get_running_loop()
        piece = first
        while piece:
            await response.write(piece)
            if len(piece) < _PIECE:
                break
            piece = await loop.run_in_executor(self._threads, _next_piece, chunks)
        await response.write_eof()


def _guarded(work: Callable[[Call], Answer], call: Call) -> Answer:
    try:
        return work(call)
    except EngineError as error:
        return _error(error, call)
    except Exception as error:  # noqa: BLE001 -- the protocol has a status for it, and the log has the trace
        _log.exception("request failed", method=call.method, target=call.target)
        return _error(refusal(500, "InternalError", message=f"We encountered an internal error: {error!r}"), call)


def _error(error: EngineError, call: Call) -> Answer:
    body = document(error, call.target.partition("?")[0])
    return Answer(error.status, body, {"Content-Type": "application/xml"})


def _too_large(call: Call) -> Answer:
    return _error(refusal(400, "EntityTooLarge", message=f"a request holds at most {REQUEST_BYTES} bytes"), call)


def _refused(fault: Fault | None, call: Call) -> Answer | None:
    """The answer of a fault that comes instead of any work."""
    match fault.kind if fault else None:
        case Kind.SLOW_DOWN:
            return _error(refusal(503, "SlowDown", message="please reduce your request rate"), call)
        case Kind.UNAVAILABLE:
            return _error(refusal(503, "ServiceUnavailable", message="the service is unavailable"), call)
        case Kind.CONFLICT:
            return _error(refusal(409, "TabularConflict", message="another transaction was first"), call)
        case _:
            return None


async def _read(request: web.BaseRequest) -> bytes | None:
    """The body; None if it is too large, what is left of it unread."""
    if (request.content_length or 0) > REQUEST_BYTES:
        return None
    parts: list[bytes] = []
    size = 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > REQUEST_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _piece(chunks: Iterator[bytes]) -> bytes:
    """The next part of a stream, shorter than a piece only at the end."""
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= _PIECE:
            break
    return b"".join(parts)


def _next_piece(chunks: Iterator[bytes]) -> bytes:
    """A later part of a stream: an error is told by the frame that the protocol has for it, and ends the stream."""
    try:
        return _piece(chunks)
    except Exception:  # noqa: BLE001 -- the status is sent already, the frame and the log are all that is left
        _log.exception("query failed while it was answered")
        return FAILED


def _hang_up(request: web.BaseRequest) -> web.Response:
    """Closes the connection at once; the answer that the library wants goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _break(
    request: web.BaseRequest, response: web.StreamResponse, *, fault: Fault, piece: bytes
) -> web.StreamResponse:
    if fault.kind is Kind.FAIL_STREAM:
        await response.write(FAILED)
        await response.write_eof()
        return response
    await response.write(piece[: max(1, len(piece) // 2)])
    if request.transport is not None:
        request.transport.abort()
    return response
