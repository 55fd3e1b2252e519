"""Real sockets for tests of the edge and the HTTP transport: an app served, and raw connections to it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TypeAlias

from tams_common.http.client import HttpTransport
from tams_common.http.edge import Edge
from tams_common.http.transport import App, MemoryTransport, Transport

Reach: TypeAlias = Callable[[App], AbstractAsyncContextManager[Transport]]
Peer: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(app: App, *, trusted: bool = False, grace: float = 20.0) -> AsyncIterator[str]:
    """The URL of `app` on a socket."""
    edge = Edge(app, trusted=trusted, grace=grace)
    host, port = await edge.start("127.0.0.1", 0)
    try:
        yield f"http://{host}:{port}"
    finally:
        await edge.stop()


@asynccontextmanager
async def by_http(app: App) -> AsyncIterator[Transport]:
    """A transport through an edge as services have it."""
    async with served(app, trusted=True) as url, connected(url) as transport:
        yield transport


@asynccontextmanager
async def in_memory(app: App) -> AsyncIterator[Transport]:
    """A transport of the same process."""
    yield MemoryTransport(app)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[HttpTransport]:
    """An open HTTP transport."""
    transport = HttpTransport(url)
    await transport.open()
    try:
        yield transport
    finally:
        await transport.close()


@asynccontextmanager
async def raw_server(answer: Peer) -> AsyncIterator[str]:
    """The URL of a server that speaks whatever `answer` writes."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        yield f"http://{host}:{port}"


@contextmanager
def refusing() -> Iterator[str]:
    """A URL at which nobody listens, nor can begin to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@asynccontextmanager
async def raw_client(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection to `url`."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


async def exchange(url: str, request: bytes) -> bytes:
    """Sends bytes and returns all that comes until the server closes the connection."""
    async with raw_client(url) as (reader, writer):
        writer.write(request)
        return await reader.read()


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """The status line and headers of a request or response."""
    return await reader.readuntil(b"\r\n\r\n")
