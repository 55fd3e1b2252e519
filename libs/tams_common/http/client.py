"""The HTTP transport: a service of another process by a pool of kept-alive connections."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

import aiohttp
from yarl import URL

from tams_common.errors import BadGateway, GatewayTimeout, TamsError, Unavailable
from tams_common.http.context import PREFIX, context_headers
from tams_common.http.message import Body, Request, Response

POOL: Final = 512
"""Connections to one service at most, but for endless streams, which would keep them from all others; who waits longer
than `CONNECT` seconds for one is turned away."""
KEEPALIVE: Final = 30.0
CONNECT: Final = 5.0
READ: Final = 60.0
"""Seconds: idle connections are kept, a connection may take, and the service may send nothing."""
WHOLE: Final = 256 * 1024
"""Bytes up to which a response is read whole before it is handed on, so that what breaks it is still a problem."""

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_NOT_SENT: Final = _HOP_BY_HOP | {"authorization"}
"""Credentials end at the gateway: the principal goes on in their place."""
_NOT_RETURNED: Final = _HOP_BY_HOP | {"server", "date"}


class HttpTransport:
    """Reaches the service at `base_url` (scheme and authority; paths are sent as they are)."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._pool: aiohttp.ClientSession | None = None
        self._streams: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Makes the pool; nothing is connected yet."""
        self._pool, self._streams = _session(limit=POOL), _session(limit=0)

    async def close(self) -> None:
        """Closes the pool, and streams that still run."""
        pool, self._pool = self._pool, None
        streams, self._streams = self._streams, None
        for session in (pool, streams):
            if session is not None:
                await session.close()

    async def send(self, request: Request) -> Response:
        """One exchange; a GET or HEAD that met a connection which was just closed is sent once more."""
        repeatable = request.method in ("GET", "HEAD") and isinstance(request.body, bytes)
        try:
            return await self._exchange(request)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            if not repeatable or isinstance(error, aiohttp.ClientConnectorError):
                raise self._failure(error) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._failure(error) from error
        try:
            return await self._exchange(request)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._failure(error) from error

    async def _exchange(self, request: Request) -> Response:
        session = self._streams if request.endless else self._pool
        if session is None:
            raise RuntimeError("the transport is not open")
        query = f"?{request.query}" if request.query else ""
        upload = _Upload(request.body)
        try:
            answer = await session.request(
                request.method,
                URL(f"{self._base_url}{request.path}{query}", encoded=True),
                headers=_sent(request),
                data=upload.data(),
                allow_redirects=False,
            )
        except aiohttp.ClientError:
            if upload.error is not None:
                raise upload.error from None
            raise
        response = Response(answer.status, b"", _returned(answer.headers))
        length = answer.content_length
        if request.method == "HEAD" or length == 0 or answer.status in (204, 304):
            answer.release()
        elif length is not None and length <= WHOLE:
            response.body = await answer.read()
        else:
            response.body = _Download(answer, self._failure)
        return response

    def _failure(self, error: Exception) -> TamsError:
        if isinstance(error, TimeoutError):
            return GatewayTimeout(f"{self._base_url} did not answer in time")
        if isinstance(error, aiohttp.ClientConnectorError):
            return Unavailable(f"{self._base_url} cannot be reached")
        return BadGateway(f"{self._base_url} gave no valid answer: {type(error).__name__}")


def _session(*, limit: int) -> aiohttp.ClientSession:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=limit, keepalive_timeout=KEEPALIVE),
        timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT, sock_read=READ),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
    )
    # aiohttp itself would repeat PUT and DELETE, too, whose second answer may differ from the first.
    session._retry_connection = False
    return session


class _Upload:
    """A request's body on its way out; remembers why reading it failed, which is not the service's fault."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.error: Exception | None = None

    def data(self) -> bytes | AsyncIterator[bytes] | None:
        return (self._body or None) if isinstance(self._body, bytes) else self._parts(self._body)

    async def _parts(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for part in body:
                yield part
        except TamsError as error:
            self.error = error
            raise


class _Download:
    """A response's body on its way in; whoever does not read it to its end closes it."""

    def __init__(self, answer: aiohttp.ClientResponse, failure: Callable[[Exception], TamsError]) -> None:
        self._answer = answer
        self._failure = failure

    def __aiter__(self) -> "_Download":
        return self

    async def __anext__(self) -> bytes:
        try:
            part = await self._answer.content.readany()
        except (aiohttp.ClientError, TimeoutError) as error:
            self._answer.close()
            raise self._failure(error) from error
        if not part:
            raise StopAsyncIteration
        return part

    async def aclose(self) -> None:
        self._answer.close()


def _sent(request: Request) -> dict[str, str]:
    listed = _listed(request.headers)
    headers = {
        name: value
        for name, value in ((name.lower(), value) for name, value in request.headers.items())
        if name not in _NOT_SENT and name not in listed and not name.startswith(PREFIX)
    }
    if isinstance(request.body, bytes):
        headers.pop("content-length", None)
    headers.update(context_headers(request.context))
    return headers


def _returned(received: Mapping[str, str]) -> dict[str, str]:
    listed = _listed(received)
    headers: dict[str, str] = {}
    for raw, value in received.items():
        name = raw.lower()
        if name not in _NOT_RETURNED and name not in listed:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _listed(headers: Mapping[str, str]) -> frozenset[str]:
    """The names that `Connection` declares hop-by-hop."""
    value = headers.get("connection")
    return frozenset(name.strip().lower() for name in value.split(",")) if value else frozenset()
