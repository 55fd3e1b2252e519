"""A service as one callable: finds the route, calls its handler, turns errors into problems."""

from collections.abc import Iterable, Sequence
from typing import Final

from tams_common.clock import Clock, system_clock
from tams_common.http.codec import encode_json, json_response
from tams_common.http.etag import conditional
from tams_common.http.message import Request, Response, close_body
from tams_common.http.openapi import Described, paths
from tams_common.http.problems import problem_response
from tams_common.http.routing import Handler, Route, Router

DESCRIPTION: Final = "/internal/openapi.json"
"""Where every service tells the gateway what its public routes take and answer."""
_READS: Final = frozenset({"GET", "HEAD"})


class ServiceApp:
    """Answers requests by `routes`; every request gets a response, errors included."""

    def __init__(self, routes: Iterable[Route], *, clock: Clock = system_clock) -> None:
        listed = list(routes)
        described = Route("GET", DESCRIPTION, _describing(listed))
        self._router = Router((route.method, route.path, route) for route in [*listed, described])
        self._clock = clock

    async def __call__(self, request: Request) -> Response:
        """Answers `request`; a HEAD is its GET without the body (HEAD-2 to HEAD-4)."""
        try:
            route, request.params = self._router.match(request.method, request.path)
            request.body_limit = route.body_limit
            response = await route.handler(request)
            if request.method in _READS:
                response = conditional(request, response)
        except Exception as error:  # noqa: BLE001 — the table of problems logs what is unexpected
            response = problem_response(error, request, clock=self._clock)
        if request.method == "HEAD":
            await drop_body(response)
        return response


def _describing(routes: Sequence[Route]) -> Handler:
    """Answers with the parts `paths` and `components` of OpenAPI; made when it is asked for the first time."""
    made = b""

    async def describe(request: Request) -> Response:
        nonlocal made
        listed = [Described(route.method, route.path, route.operation) for route in routes if route.operation]
        made = made or encode_json(paths(listed))
        return json_response(made)

    return describe


async def drop_body(response: Response) -> None:
    """Takes the body off a response and keeps its length in the headers."""
    body = response.body
    if not isinstance(body, bytes):
        await close_body(body)
    elif body:
        response.headers.setdefault("content-length", str(len(body)))
    response.body = b""
