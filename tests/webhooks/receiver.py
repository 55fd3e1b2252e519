"""A receiver of webhooks on a free port of this machine: it records what comes in and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web


class Received(msgspec.Struct, frozen=True):
    """A request; header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The event's id."""
        return self.headers.get("webhook-id", "")

    def json(self) -> Any:  # noqa: ANN401 — tests look into whatever came
        """The decoded body."""
        return msgspec.json.decode(self.body)


class Reply(msgspec.Struct, frozen=True):
    """What a request is answered; with `status` 0 its connection is cut instead."""

    status: int = 204
    headers: Mapping[str, str] = {}


OK = Reply()
CUT = Reply(0)


class Endpoint:
    """One path of a receiver. It answers 204 until it is told otherwise.

    `received` has every request in the order of arrival, `accepted` those that were answered 2xx.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: list[Received] = []
        self.accepted: list[Received] = []
        self.most_at_once = 0
        self._open = 0
        self._decide: Callable[[Received], Reply] = lambda _: OK
        self._answering = asyncio.Event()
        self._answering.set()

    @property
    def ids(self) -> list[str]:
        """The ids of the events that were accepted, repeats included."""
        return [request.id for request in self.accepted]

    def answer(self, status: int = 204, **headers: str) -> None:
        """What every request is answered from now on; underscores in the names of headers stand for hyphens."""
        reply = Reply(status, {name.replace("_", "-"): value for name, value in headers.items()})
        self._decide = lambda _: reply

    def answer_by(self, decide: Callable[[Received], Reply]) -> None:
        """Lets `decide` choose each answer."""
        self._decide = decide

    def hang(self) -> None:
        """Takes requests and answers none, until `release`."""
        self._answering.clear()

    def release(self) -> None:
        """Answers those that hang, and further ones at once."""
        self._answering.set()

    async def serve(self, request: web.BaseRequest) -> web.Response:
        """Handles one request."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(request.path, headers, await request.read())
        self.received.append(received)
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            await self._answering.wait()
            reply = self._decide(received)
        finally:
            self._open -= 1
        if 200 <= reply.status < 300:
            self.accepted.append(received)
        if reply.status == 0 and request.transport is not None:
            request.transport.abort()
        return web.Response(status=reply.status or 500, headers=reply.headers)


class Receiver:
    """All paths of one server."""

    def __init__(self) -> None:
        self.url = ""
        self._endpoints: dict[str, Endpoint] = {}

    def at(self, path: str = "/hook") -> Endpoint:
        """The endpoint at `path`; a new one for a path not named before."""
        if path not in self._endpoints:
            self._endpoints[path] = Endpoint(self.url + path)
        return self._endpoints[path]

    async def serve(self, request: web.BaseRequest) -> web.Response:
        """Handles one request."""
        return await self.at(request.path).serve(request)

    def release(self) -> None:
        """Lets every endpoint answer."""
        for endpoint in self._endpoints.values():
            endpoint.release()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A running receiver."""
    made = Receiver()
    server = web.Server(made.serve)
    runner = web.ServerRunner(server, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        made.url = f"http://{host}:{port}"
        yield made
    finally:
        made.release()
        await runner.cleanup()
