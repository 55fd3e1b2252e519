"""A gateway for tests: its services are told apart by what they answer, its log and metrics are kept."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from tams_api_gateway.access import AccessLog
from tams_api_gateway.address import BaseUrls, parse_networks
from tams_api_gateway.gateway import Gateway, Tools
from tams_api_gateway.routes import ROUTES
from tams_common.auth import DELETE, READ, SCOPES, WRITE, StaticTokens, static_token
from tams_common.clock import ManualClock
from tams_common.http.codec import json_response
from tams_common.http.message import Request, Response
from tams_common.http.transport import App, MemoryTransport, Transport
from tams_common.metrics import RequestMetrics
from tests.common.http.sockets import served
from tests.common.http_client import Client

SERVICES = ("api-gateway", "catalog", "segments", "webhooks", "analytics")
TOKENS = {"all": SCOPES, "read": frozenset({READ}), "write": frozenset({WRITE}), "delete": frozenset({DELETE})}
"""One token per scope; `all` has every one."""


async def mirror(request: Request) -> Response:
    """Answers with what a service gets to see."""
    return json_response(
        {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "subject": request.context.principal.subject,
            "request_id": request.context.request_id,
            "base_url": request.context.base_url,
            "size": sum([len(part) async for part in request.stream()]),
        },
        headers={"x-service": "mirror"},
    )


class World:
    """One gateway with everything around it. `public_url` and `proxies` are its configuration."""

    def __init__(
        self,
        app: App = mirror,
        *,
        peers: Mapping[str, Transport] | None = None,
        public_url: str = "",
        proxies: str = "",
    ) -> None:
        self.lines: list[str] = []
        self.registry = CollectorRegistry()
        self.clock = ManualClock()
        tools = Tools(
            verifier=StaticTokens([static_token(name, name, scopes=scopes) for name, scopes in TOKENS.items()]),
            base_urls=BaseUrls(public_url, parse_networks(proxies)),
            access_log=AccessLog(self.lines.append, pretty=False, clock=self.clock),
            metrics=RequestMetrics(self.registry),
            clock=self.clock,
            new_id=lambda: "00000000-0000-4000-8000-0123456789ab",
        )
        everyone = {name: MemoryTransport(app) for name in SERVICES}
        self.gateway = Gateway(ROUTES, peers or everyone, tools=tools)

    def client(self, token: str | None = "all") -> Client:
        """A client in the same process."""
        return Client(self.gateway, token=token)

    @asynccontextmanager
    async def url(self) -> AsyncIterator[str]:
        """The gateway on a socket."""
        async with served(self.gateway) as url:
            yield url

    def log(self) -> list[dict[str, Any]]:
        """The access log so far."""
        return [json.loads(line) for line in self.lines]

    def metrics(self) -> str:
        """What `/metrics` would show."""
        return generate_latest(self.registry).decode()
