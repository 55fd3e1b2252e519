"""Composition root of the gateway."""

from pathlib import Path

from tams_api_gateway.access import AccessLog
from tams_api_gateway.address import BaseUrls, parse_networks
from tams_api_gateway.config import ApiGatewayConfig
from tams_api_gateway.description import Description
from tams_api_gateway.docs import Docs
from tams_api_gateway.gateway import Gateway, Tools
from tams_api_gateway.routes import GATEWAY, ROUTES
from tams_common.auth import SCOPES, StaticTokens, read_tokens, static_token
from tams_common.errors import StartRefused
from tams_common.http.app import ServiceApp
from tams_common.http.routing import Route
from tams_common.http.transport import MemoryTransport
from tams_common.logging import line_output
from tams_common.metrics import RequestMetrics
from tams_common.runtime.service import Built, Parts, Service


def build(config: ApiGatewayConfig, parts: Parts) -> Built:
    """Puts the gateway together; raises `StartRefused` when nobody could authenticate."""
    write, pretty = line_output()
    tools = Tools(
        verifier=_verifier(config),
        base_urls=BaseUrls(parts.common.public_url, parse_networks(config.trusted_proxies)),
        access_log=AccessLog(write, pretty=pretty, clock=parts.clock),
        metrics=RequestMetrics(parts.registry),
        clock=parts.clock,
        new_id=parts.new_id,
    )
    description, docs = Description(ROUTES, parts.peers), Docs()
    own = ServiceApp(
        (
            Route("GET", "/openapi.json", description),
            Route("GET", "/docs", docs.page),
            Route("GET", "/docs/{file}", docs.file),
        )
    )
    return Built(app=Gateway(ROUTES, {**parts.peers, GATEWAY: MemoryTransport(own)}, tools=tools))


def _verifier(config: ApiGatewayConfig) -> StaticTokens:
    tokens = list(read_tokens(Path(config.tokens_file))) if config.tokens_file else []
    if config.token:
        tokens.append(static_token(config.token, "developer", scopes=SCOPES))
    if not tokens:
        raise StartRefused(
            "nobody could use the gateway: set TAMS_API_GATEWAY_TOKENS_FILE to a file with tokens, "
            "or TAMS_API_GATEWAY_TOKEN to one for development"
        )
    return StaticTokens(tokens)


SERVICE = Service(
    name="api-gateway",
    config=ApiGatewayConfig,
    build=build,
    peers=("catalog", "segments", "webhooks", "analytics"),
)
