"""`/openapi.json`: what the services tell of their routes, put together for the address that clients use."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from tams_api_gateway.routes import EXTENSIONS, Public
from tams_common.errors import Unavailable
from tams_common.http.app import DESCRIPTION
from tams_common.http.codec import json_response
from tams_common.http.message import Context, Request, Response
from tams_common.http.openapi import Json, public_path
from tams_common.http.transport import Transport

_ABOUT: Final = (
    "A store for media as short segments on a timeline. The paths, methods and bodies are those of BBC R&D's "
    "Time-addressable Media Store API 8.2; what is ours beyond it is tagged `Extensions`."
)
_SECURITY: Final[Json] = {
    "bearer_token_auth": {"type": "http", "scheme": "bearer", "description": "The token: `tams dev` prints its own."},
    "url_token_auth": {"type": "apiKey", "in": "query", "name": "access_token", "description": "The same, in the URL."},
    "basic_auth": {"type": "http", "scheme": "basic", "description": "Its subject as user, itself as password."},
}


_TAGS: Final = (
    ("/service/profiles", "Profiles"),
    ("/service/webhooks", "Webhooks"),
    ("/service", "Service"),
    ("/sources", "Sources"),
    ("/flows/{flow_id}/segments", "Flow segments"),
    ("/flows/{flow_id}/storage", "Media storage"),
    ("/flows", "Flows"),
    ("/objects", "Objects"),
    ("/flow-delete-requests", "Flow deletion"),
    ("/", "Service"),
)
"""Sections of the page by the beginning of the path, the first that fits."""


class Description:
    """Makes the document of `routes`, which `services` answer: what does not change once, the rest per request."""

    def __init__(self, routes: Iterable[Public], services: Mapping[str, Transport]) -> None:
        self._routes = list(routes)
        self._services = services
        self._parts: Json | None = None

    async def __call__(self, request: Request) -> Response:
        """The document; `Unavailable` while a service that it has not heard yet does not answer."""
        if self._parts is None:
            self._parts = await self._gather(request.context)
        return json_response(msgspec.json.encode({**_frame(request.context.base_url), **self._parts}))

    async def _gather(self, context: Context) -> Json:
        names = sorted({route.service for route in self._routes if route.service in self._services})
        told = dict(zip(names, await asyncio.gather(*(self._ask(name, context) for name in names)), strict=True))
        paths: Json = {}
        for route in self._routes:
            path = public_path(route.path)
            known = told.get(route.service, {}).get("paths", {}).get(path, {})
            for method in (route.method.lower(), *(["head"] if route.method == "GET" else [])):
                if method in known:
                    item = paths.setdefault(path, {"parameters": known["parameters"]} if "parameters" in known else {})
                    item[method] = {**known[method], "tags": [_tag(route)], "security": _permissions(route)}
        schemas = {name: schema for part in told.values() for name, schema in part["components"]["schemas"].items()}
        return {"paths": paths, "components": {"schemas": schemas, "securitySchemes": _SECURITY}}

    async def _ask(self, name: str, context: Context) -> Any:  # noqa: ANN401 — OpenAPI's JSON
        request = Request("GET", DESCRIPTION)
        request.context = context
        answer = await self._services[name].send(request)
        if answer.status != 200:
            raise Unavailable(f"{name} cannot describe its routes: it answered {answer.status}")
        return msgspec.json.decode(await answer.read())


def _frame(base_url: str) -> Json:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Time-addressable Media Store", "version": "8.2", "description": _ABOUT},
        "servers": [{"url": base_url or "/"}],
    }


def _tag(route: Public) -> str:
    if route in EXTENSIONS:
        return "Extensions"
    return next(tag for prefix, tag in _TAGS if route.path.startswith(prefix))


def _permissions(route: Public) -> list[dict[str, list[str]]]:
    """Any one of the schemes (AUTH-1), with one of the route's scopes; none where a signature is the permission."""
    if route.scopes is None:
        return []
    return [{name: sorted(route.scopes) if name == "bearer_token_auth" else []} for name in _SECURITY]
