"""The gateway: who asks, may they, which service answers. No rule of the store lives here."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from itertools import count
from time import perf_counter
from typing import Final

import msgspec

from tams_api_gateway.access import AccessLog
from tams_api_gateway.address import BaseUrls
from tams_api_gateway.cors import allow_everywhere, options
from tams_api_gateway.encoding import encode, with_plain_tags
from tams_api_gateway.routes import Public
from tams_common.auth import ANONYMOUS, Principal, Verifier
from tams_common.clock import Clock
from tams_common.errors import Forbidden, MethodNotAllowed
from tams_common.http.app import drop_body
from tams_common.http.message import Body, Context, Request, Response, close_body, too_large
from tams_common.http.problems import problem_response
from tams_common.http.query import Params
from tams_common.http.routing import Router
from tams_common.http.transport import Transport
from tams_common.ids import IdSource
from tams_common.logging import REQUEST_ID
from tams_common.metrics import RequestMetrics

_is_request_id = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}").fullmatch
_NOWHERE: Final = ""


class Tools(msgspec.Struct, frozen=True):
    """What the gateway works with."""

    verifier: Verifier
    base_urls: BaseUrls
    access_log: AccessLog
    metrics: RequestMetrics
    clock: Clock
    new_id: IdSource


class Gateway:
    """Answers every public request, by one of `services` or with a problem of its own."""

    def __init__(self, routes: Iterable[Public], services: Mapping[str, Transport], *, tools: Tools) -> None:
        self._router = Router((route.method, route.path, route) for route in routes)
        self._services = services
        self._tools = tools
        # Names of requests need not be unguessable, and asking the system for randomness each time gives other threads
        # the chance to keep the interpreter for themselves.
        self._run = tools.new_id()[-12:]
        self._numbers = count(1)

    async def __call__(self, request: Request) -> Response:
        """Answers `request`; never raises but for cancellation."""
        tools = self._tools
        started = perf_counter()
        asked = request.headers.get("x-request-id")
        request_id = asked if asked and _is_request_id(asked) else f"{self._run}-{next(self._numbers)}"
        REQUEST_ID.set(request_id)
        request.context = Context(request_id=request_id)
        template = _NOWHERE
        try:
            route, _ = self._router.match(request.method, request.path)
            template = route.path
            response = await self._forward(request, route)
        except asyncio.CancelledError:
            tools.access_log.note(request, None, seconds=perf_counter() - started)
            raise
        except Exception as error:  # noqa: BLE001 — the table of problems logs what is unexpected
            response = await self._refuse(request, error)
        response.headers["x-request-id"] = request_id
        allow_everywhere(response.headers)
        seconds = perf_counter() - started
        tools.metrics.observe(template, request.method, status=response.status, seconds=seconds)
        tools.access_log.note(request, response, seconds=seconds)
        return response

    async def _forward(self, request: Request, route: Public) -> Response:
        base_url = self._tools.base_urls.of(request)
        principal = ANONYMOUS if route.scopes is None else await self._authenticated(request)
        request.context = Context(request.context.request_id, base_url, principal)
        if route.scopes is not None and not principal.may(route.scopes):
            wanted = " or ".join(sorted(route.scopes))
            raise Forbidden(f"{request.method} {route.path} needs the scope {wanted}, which the token does not have")
        if route.body_limit is not None and request.body:
            request.body = _limited(request, route.body_limit)
        request.headers = with_plain_tags(request.headers)
        request.endless = route.endless
        response = await self._services[route.service].send(request)
        await encode(request, response)
        return response

    async def _authenticated(self, request: Request) -> Principal:
        authorization = request.headers.get("authorization")
        access_token = None
        if authorization is None and request.query:
            access_token = Params.parse(request.query).text("access_token")
        return await self._tools.verifier.principal(authorization, access_token)

    async def _refuse(self, request: Request, error: Exception) -> Response:
        if isinstance(error, MethodNotAllowed) and request.method == "OPTIONS":
            return options(error.allowed)
        response = problem_response(error, request, clock=self._tools.clock)
        if request.method == "HEAD":
            await drop_body(response)
        return response


def _limited(request: Request, limit: int) -> Body:
    """The body, refused at once when it announces more than `limit` bytes, else when it turns out to have more."""
    body = request.body
    announced = request.headers.get("content-length", "")
    if isinstance(body, bytes):
        if len(body) > limit:
            raise too_large(limit)
        return body
    if announced.isdecimal():
        if int(announced) > limit:
            raise too_large(limit)
        return body
    return _Counted(body, limit)


class _Counted:
    """A body of unknown length."""

    def __init__(self, body: AsyncIterator[bytes], limit: int) -> None:
        self._body = body
        self._limit = limit
        self._left = limit

    def __aiter__(self) -> "_Counted":
        return self

    async def __anext__(self) -> bytes:
        part = await anext(self._body)
        self._left -= len(part)
        if self._left < 0:
            raise too_large(self._limit)
        return part

    async def aclose(self) -> None:
        await close_body(self._body)
