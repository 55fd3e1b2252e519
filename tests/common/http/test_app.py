from collections.abc import AsyncIterator
from typing import Any

import pytest

from tams_common import errors
from tams_common.clock import ManualClock
from tams_common.http.app import ServiceApp
from tams_common.http.codec import decode_json, json_response, no_content
from tams_common.http.message import Request, Response
from tams_common.http.routing import Route
from tests.common.http_client import Client
from tests.conformance import rule


async def echo(request: Request) -> Response:
    return json_response(dict(request.params))


async def read(request: Request) -> Response:
    return json_response(decode_json(await request.read(), list[int]))


async def streamed(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    return Response(200, parts(), {"content-length": "2"})


async def nothing(request: Request) -> Response:
    return no_content()


def failing(error: Exception) -> Client:
    async def fail(request: Request) -> Response:
        raise error

    return Client(ServiceApp([Route("GET", "/x", fail)], clock=ManualClock(1_700_000_000_000_000_000)))


@pytest.fixture
def client() -> Client:
    return Client(
        ServiceApp(
            [
                Route("GET", "/", echo),
                Route("GET", "/objects/{object_id}", echo),
                Route("GET", "/objects/{object_id}/instances/{label}", echo),
                Route("DELETE", "/objects/{object_id}", nothing),
                Route("POST", "/numbers", read, body_limit=10),
                Route("GET", "/stream", streamed),
            ]
        )
    )


@rule("GEN-6")
async def test_parameters_are_decoded_once(client: Client) -> None:
    answer = await client.get("/objects/a%2F..%2F%25%20b/instances/%C3%A9")
    assert answer.json() == {"object_id": "a/../% b", "label": "é"}
    assert (await client.get("/")).json() == {}


@pytest.mark.parametrize("path", ["/objects/%", "/objects/%zz", "/objects/%FF", "/objects/\udcff"])
async def test_bad_encoding_is_refused(client: Client, path: str) -> None:
    problem = (await client.get(path, expect=400)).json()
    assert "object_id" in problem["detail"]


@pytest.mark.parametrize("path", ["/other", "/objects", "/objects/", "/objects/a/", "//", "/objects/a/b", "x", ""])
async def test_unknown_paths(client: Client, path: str) -> None:
    await client.get(path, expect=404)


async def test_unknown_methods_tell_the_known_ones(client: Client) -> None:
    answer = await client.put("/objects/a", {}, expect=405)
    assert answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS"
    assert (await client.delete("/numbers", expect=405)).headers["allow"] == "OPTIONS, POST"


@rule("HEAD-2", "HEAD-4")
async def test_head_has_the_headers_of_get(client: Client) -> None:
    body = (await client.get("/objects/a")).body
    answer = await client.head("/objects/a")
    assert answer.headers["content-length"] == str(len(body))
    assert answer.headers["content-type"] == "application/json"
    assert (await client.head("/stream")).headers["content-length"] == "2"


async def test_body_limit_of_the_route(client: Client) -> None:
    await client.post("/numbers", [1, 2, 3], expect=200)
    problem = (await client.post("/numbers", [1, 2, 3, 4, 5, 6], expect=413)).json()
    assert "10 bytes" in problem["detail"]


async def test_body_limit_of_a_stream() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"1" * 1000

    request = Request("POST", "/", body=endless())
    with pytest.raises(errors.TooLarge):
        await request.read()
    request = Request("POST", "/", headers={"content-length": "9999999999"}, body=endless())
    with pytest.raises(errors.TooLarge):
        await request.read()


@rule("ERR-1", "ERR-2", "ERR-4")
@pytest.mark.parametrize(
    ("error", "status", "header"),
    [
        (errors.InvalidInput("d", field="$.a"), 400, None),
        (errors.Unauthenticated("d"), 401, ("www-authenticate", 'Bearer realm="tams"')),
        (errors.Forbidden("d"), 403, None),
        (errors.NotFound("d"), 404, None),
        (errors.MethodNotAllowed("d", allowed=("GET", "HEAD")), 405, ("allow", "GET, HEAD")),
        (errors.PreconditionFailed("d"), 412, None),
        (errors.TooLarge("d"), 413, None),
        (errors.RangeNotSatisfiable("d", size=7), 416, ("content-range", "bytes */7")),
        (errors.BadGateway("d"), 502, None),
        (errors.Conflict("d"), 503, ("retry-after", "1")),
        (errors.Unavailable("d", retry_after=9), 503, ("retry-after", "9")),
        (errors.OutcomeUnknown("d"), 503, ("retry-after", "1")),
        (errors.GatewayTimeout("d"), 504, None),
    ],
)
async def test_errors_become_problems(error: errors.TamsError, status: int, header: tuple[str, str] | None) -> None:
    answer = await failing(error).get("/x", expect=status)
    problem: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"].startswith("urn:tams:problem:")
    assert problem["title"] == problem["summary"] == error.summary
    assert problem["status"] == status
    assert problem["detail"] == problem["message"] == "d"
    assert problem["instance"] == "/x"
    assert problem["time"] == "2023-11-14T22:13:20Z"
    assert problem.get("field") == error.field
    if header:
        assert answer.headers[header[0]] == header[1]


@rule("ERR-9")
async def test_unexpected_errors_tell_nothing() -> None:
    for error in (ValueError("the secret"), errors.StartRefused("the secret")):
        answer = await failing(error).get("/x", expect=500)
        assert b"secret" not in answer.body
        assert b"Traceback" not in answer.body


async def test_text_that_json_cannot_hold_is_replaced() -> None:
    problem = (await failing(errors.NotFound("stray \udcff", field="\udcff")).get("/x", expect=404)).json()
    assert problem["detail"] == "stray ?"
