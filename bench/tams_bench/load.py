"""A load generator that is cheaper than what it measures: keep-alive HTTP/1.1 over raw asyncio protocols."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = b"content-length:"


class LoadError(RuntimeError):
    """The store answered something else than the scenario expects: a figure from such a run means nothing."""


class Result(msgspec.Struct, frozen=True):
    """`seconds` of wall time for `latencies` (seconds each, in order of completion)."""

    seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds

    def quantile(self, share: float) -> float:
        """The latency in seconds that `share` of the requests do not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def request(method: str, url_path: str, *, token: str, body: bytes = b"") -> bytes:
    """The bytes of one request."""
    head = f"{method} {url_path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


class Connection(asyncio.Protocol):
    """One connection with at most one request under way."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._missing = 0
        self._head = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if not self._head:
            end = buffer.find(HEAD_END)
            if end < 0:
                return
            self._head = bytes(buffer[:end])
            self._missing = end + 4 + _content_length(self._head)
        if len(buffer) < self._missing:
            return
        body = bytes(buffer[len(self._head) + 4 : self._missing])
        del buffer[: self._missing]
        status, self._head = int(self._head[9:12]), b""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((status, body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the store closed the connection"))

    async def exchange(self, data: bytes) -> tuple[int, bytes]:
        """Sends one request; status and body of its answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await self._answer

    def close(self) -> None:
        """Ends the connection."""
        if self._transport is not None:
            self._transport.close()


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.find(LENGTH)
    if start < 0:
        return 0
    return int(lowered[start + len(LENGTH) :].split(b"\r\n", 1)[0])


async def connect(port: int) -> Connection:
    """A connection to 127.0.0.1:`port`."""
    _, protocol = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return protocol


async def send_all(port: int, requests: Iterable[bytes], *, clients: int, expect: int) -> Result:
    """Sends every request, `clients` at a time, each on a connection of its own."""
    return await _drive(port, [iter(requests)] * clients, expect=expect, seconds=None)


async def send_for(port: int, requests: Sequence[bytes], *, clients: int, seconds: float) -> Result:
    """Sends `requests` round and round for `seconds`, `clients` at a time; expects 200."""
    shares = [_cycle(requests, start=n * len(requests) // clients) for n in range(clients)]
    return await _drive(port, shares, expect=200, seconds=seconds)


def _cycle(requests: Sequence[bytes], *, start: int) -> Iterator[bytes]:
    position = start
    while True:
        yield requests[position % len(requests)]
        position += 1


async def _drive(port: int, shares: Sequence[Iterator[bytes]], *, expect: int, seconds: float | None) -> Result:
    connections = [await connect(port) for _ in shares]
    latencies: list[float] = []
    begin = time.perf_counter()
    end = None if seconds is None else begin + seconds

    async def client(connection: Connection, requests: Iterator[bytes]) -> None:
        for data in requests:
            start = time.perf_counter()
            status, body = await connection.exchange(data)
            now = time.perf_counter()
            latencies.append(now - start)
            if status != expect:
                raise LoadError(f"expected {expect}, got {status}: {body[:500]!r}")
            if end is not None and now >= end:
                return

    try:
        await asyncio.gather(*map(client, connections, shares))
    finally:
        for connection in connections:
            connection.close()
    return Result(time.perf_counter() - begin, latencies)
