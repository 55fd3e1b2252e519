"""The transport port: how one service reaches another. Adapters: in memory (here) and HTTP (`http.client`)."""

from collections.abc import Coroutine
from typing import Any, Protocol

from tams_common.http.message import Request, Response


class Transport(Protocol):
    """Carries a request to a service and its response back, streaming both bodies.

    Raises `BadGateway`, `GatewayTimeout` or `Unavailable` when there is no valid answer.
    """

    async def send(self, request: Request) -> Response:
        """One exchange."""
        ...


class App(Protocol):
    """A service seen from outside: every request gets a response, errors included."""

    async def __call__(self, request: Request) -> Response:
        """Answers `request`; never raises but for cancellation."""
        ...


class MemoryTransport:
    """Reaches a service of the same process by a call."""

    def __init__(self, app: App) -> None:
        self._app = app

    def send(self, request: Request) -> Coroutine[Any, Any, Response]:
        """Hands the request over as it is; what the app makes of it is awaited without a step in between."""
        return self._app(request)
