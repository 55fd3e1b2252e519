"""Receivers that keep to no rule: each is a script that runs on one real connection."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

Script: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


class Peer:
    """A server on a free port of this machine. `requests` are those that were read whole, `ended` scripts that are."""

    def __init__(self, script: Script) -> None:
        self.port = 0
        self.connections = 0
        self.requests: list[bytes] = []
        self.ended = 0
        self._script = script
        self._tasks: set[asyncio.Task[None]] = set()

    def url(self, host: str = "127.0.0.1", *, scheme: str = "http", path: str = "/hook") -> str:
        """An address of the server."""
        return f"{scheme}://{host}:{self.port}{path}"

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        """The next request of a connection, head and body; raises `EOFError` when there is none."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0
        )
        request = head + await reader.readexactly(length)
        self.requests.append(request)
        return request

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Runs the script on a new connection until it returns or the other side is gone."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            with suppress(ConnectionError, EOFError, asyncio.CancelledError, ssl.SSLError):
                await self._script(reader, writer)
        finally:
            self.ended += 1
            self._tasks.discard(task)
            writer.close()

    async def stop(self) -> None:
        """Ends the scripts that still run."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def peer(
    script: Callable[[Peer], Script], *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Peer]:
    """A running server; `script` gets the peer, to read requests with."""

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await script(made)(reader, writer)

    made = Peer(run)
    server = await asyncio.start_server(made.serve, host, 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.stop()
        await server.wait_closed()


def answering(*answers: bytes) -> Callable[[Peer], Script]:
    """Reads requests and answers each with the next of `answers`; then it closes the connection."""

    def of(peer: Peer) -> Script:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for answer in answers:
                await peer.request(reader)
                writer.write(answer)
                await writer.drain()

        return run

    return of


def hasty(answer: bytes) -> Callable[[Peer], Script]:
    """Answers before anything was asked, then takes what comes."""

    def of(peer: Peer) -> Script:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(answer)
            await writer.drain()
            await reader.read()

        return run

    return of


def dripping(start: bytes, drop: bytes) -> Callable[[Peer], Script]:
    """Answers with `start` and then `drop` again and again, ever so slowly, for as long as somebody listens."""

    def of(peer: Peer) -> Script:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await peer.request(reader)
            writer.write(start)
            while True:
                writer.write(drop)
                await writer.drain()
                if await _left(reader):
                    return

        return run

    return of


def pouring(start: bytes, drop: bytes) -> Callable[[Peer], Script]:
    """Answers with `start` and then `drop` again and again, as fast as it is taken."""

    def of(peer: Peer) -> Script:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await peer.request(reader)
            writer.write(start)
            while True:
                writer.write(drop)
                await writer.drain()

        return run

    return of


def resolving(*answers: Sequence[str]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """A resolver that gives `answers` one after the other, the last one for good; none means that nobody knows."""
    left = list(answers)

    async def lookup(host: str, port: int) -> Sequence[str]:
        found = left.pop(0) if len(left) > 1 else left[0]
        if not found:
            raise OSError(f"{host} does not resolve")
        return found

    return lookup


async def _left(reader: asyncio.StreamReader) -> bool:
    """Whether the other side went away within a moment."""
    try:
        async with asyncio.timeout(0.02):
            return not await reader.read(1)
    except TimeoutError:
        return False
