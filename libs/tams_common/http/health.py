"""`/healthz`, `/readyz` and `/metrics`: for operators, without credentials (architecture 8)."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

import msgspec
from prometheus_client import CollectorRegistry, generate_latest

from tams_common.http.app import ServiceApp
from tams_common.http.codec import json_response
from tams_common.http.message import Request, Response
from tams_common.http.routing import Route
from tams_common.http.transport import App

HEALTH_PATHS: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def health_routes(
    checks: Sequence[Callable[[], Awaitable[None]]], registry: CollectorRegistry | None = None
) -> tuple[Route, ...]:
    """The three routes. `/readyz` runs all `checks` and answers the error of the first that raises."""
    collectors = registry or CollectorRegistry()

    async def healthz(request: Request) -> Response:
        return json_response({"status": "ok"})

    async def readyz(request: Request) -> Response:
        for check in checks:
            await check()
        return json_response({"status": "ready"})

    async def metrics(request: Request) -> Response:
        return Response(200, generate_latest(collectors), {"content-type": _METRICS_TYPE})

    return (Route("GET", "/healthz", healthz), Route("GET", "/readyz", readyz), Route("GET", "/metrics", metrics))


class WithHealth(msgspec.Struct, frozen=True):
    """Puts the health routes in front of `app`, which then neither authenticates nor logs them."""

    app: App
    checks: Sequence[Callable[[], Awaitable[None]]]
    registry: CollectorRegistry | None = None

    def __call__(self, request: Request) -> Coroutine[Any, Any, Response]:
        """Answers health itself and leaves the rest to the app."""
        app = ServiceApp(health_routes(self.checks, self.registry)) if request.path in HEALTH_PATHS else self.app
        return app(request)
