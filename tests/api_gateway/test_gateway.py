from collections.abc import AsyncIterator

import pytest

from tams_common.errors import BadGateway, GatewayTimeout, TamsError, Unavailable
from tams_common.http.message import Request, Response
from tams_common.http.transport import MemoryTransport
from tests.api_gateway.gateways import World
from tests.common.http.sockets import by_http, exchange, raw_client, read_head
from tests.common.http_client import Client
from tests.conformance import rule

FLOW = "/flows/6ba7b810-9dad-11d1-80b4-00c04fd430c8"


class Broken:
    """A service that cannot be reached."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def send(self, request: Request) -> Response:
        raise self._error


async def test_the_service_gets_the_request_as_it_came() -> None:
    answer = await World().client().get("/objects/a%2Fb%20c?accept_get_urls=&t=[0:0)")
    seen = answer.json()
    assert (seen["path"], seen["query"]) == ("/objects/a%2Fb%20c", "accept_get_urls=&t=[0:0)")
    assert seen["subject"] == "all"
    assert answer.headers["x-service"] == "mirror"


async def test_each_path_goes_to_its_service() -> None:
    async def name_of(name: str) -> MemoryTransport:
        async def answer(request: Request) -> Response:
            return Response(200, name.encode())

        return MemoryTransport(answer)

    peers = {name: await name_of(name) for name in ("catalog", "segments", "webhooks", "analytics")}
    client = World(peers=peers).client()
    assert (await client.get(FLOW)).body == b"catalog"
    assert (await client.get(f"{FLOW}/segments")).body == b"segments"
    assert (await client.get("/service/webhooks")).body == b"webhooks"
    assert (await client.get("/service/storage-backends")).body == b"segments"


async def test_only_what_has_no_end_is_sent_beside_the_pool() -> None:
    async def tell(request: Request) -> Response:
        return Response(200, b"endless" if request.endless else b"")

    client = World(peers={"webhooks": MemoryTransport(tell)}).client()
    assert (await client.get("/events")).body == b"endless"
    assert (await client.get("/service/webhooks")).body == b""


@pytest.mark.parametrize("path", ["/internal/flows", "/other", "/flows/", "//flows", "/healthz/x", "/flows/a/b/c"])
async def test_unknown_paths_are_404_for_everyone(path: str) -> None:
    problem = (await World().client(None).get(path, expect=404)).json()
    assert problem["instance"] == path


@rule("GEN-3", "HEAD-6")
async def test_unknown_methods_are_405() -> None:
    client = World().client()
    assert (await client.post(FLOW, {}, expect=405)).headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PUT"
    await client.send("HEAD", f"{FLOW}/storage", expect=405)
    await client.send("PATCH", FLOW, expect=405)


@pytest.mark.parametrize("path", ["/objects/%", "/objects/%FF", "/sources/%zz/label"])
async def test_bad_encoding_of_the_path(path: str) -> None:
    await World().client().get(path, expect=400)


async def test_bad_encoding_of_the_query_is_a_400_where_the_token_is_looked_for() -> None:
    await World().client(None).get("/flows?access_token=%zz", expect=400)


@rule("GEN-17")
@pytest.mark.parametrize("origin", [None, "https://player.example.com"])
async def test_options_needs_no_credentials(origin: str | None) -> None:
    headers = {"origin": origin, "access-control-request-method": "PUT"} if origin else {}
    answer = await World().client(None).send("OPTIONS", FLOW, headers=headers, expect=204)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "DELETE, GET, HEAD, OPTIONS, PUT"
    assert "Authorization, Content-Type" in answer.headers["access-control-allow-headers"]
    await World().client(None).send("OPTIONS", "/other", expect=404)


@rule("GEN-17")
@pytest.mark.parametrize(("token", "status"), [("all", 200), (None, 401)])
async def test_browsers_may_read_every_answer(token: str | None, status: int) -> None:
    headers = (await World().client(token).get("/flows", expect=status)).headers
    assert headers["access-control-allow-origin"] == "*"
    exposed = headers["access-control-expose-headers"].split(", ")
    for name in ("Link", "Location", "ETag", "Retry-After", "X-Request-ID", "X-Paging-NextKey", "X-Paging-Timerange"):
        assert name in exposed


async def test_request_ids() -> None:
    client = World().client()
    answer = await client.get("/flows", headers={"x-request-id": "studio-7/a"})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "studio-7/a"
    fresh = [(await client.get("/flows")).headers["x-request-id"] for _ in range(2)]
    assert fresh == ["0123456789ab-1", "0123456789ab-2"]
    for odd in ("", "a b", 'a"b', "x" * 200, "é"):
        answer = await client.get("/flows", headers={"x-request-id": odd})
        assert answer.headers["x-request-id"].startswith("0123456789ab-")
    assert "x-request-id" in (await client.get("/other", expect=404)).headers


async def test_tokens_in_the_url() -> None:
    client = World().client(None)
    answer = await client.get("/flows?limit=2&access_token=read")
    assert (answer.json()["subject"], answer.json()["query"]) == ("read", "limit=2&access_token=read")
    await client.get("/flows?access_token=unknown", expect=401)


async def test_head_of_a_refusal_has_no_body() -> None:
    answer = await World().client(None).head("/flows", expect=401)
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize(
    ("error", "status"),
    [(BadGateway("b"), 502), (Unavailable("u", retry_after=3), 503), (GatewayTimeout("t"), 504), (KeyError("k"), 500)],
)
async def test_services_that_fail_are_problems(error: TamsError, status: int) -> None:
    client = World(peers={"catalog": Broken(error)}).client()
    answer = await client.get("/flows", expect=status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


@pytest.mark.parametrize(
    ("path", "fits", "too_large"),
    [(FLOW, 1024 * 1024, 1024 * 1024 + 1), (f"{FLOW}/segments", 6 * 1024 * 1024, 8 * 1024 * 1024 + 1)],
)
async def test_body_limits(path: str, fits: int, too_large: int) -> None:
    async def parts(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 65536):
            yield b"x" * 65536
        yield b"x" * (size % 65536)

    method = "POST" if path.endswith("segments") else "PUT"
    world = World()
    answer = await world.client().send(method, path, body=b"x" * fits, expect=200)
    assert answer.json()["size"] == fits
    await world.client().send(method, path, body=b"x" * too_large, expect=413)
    for announced in ({}, {"content-length": str(too_large)}):
        request = Request(method, path, headers={"authorization": "Bearer all", **announced}, body=parts(too_large))
        assert (await world.gateway(request)).status == 413
    request = Request(method, path, headers={"authorization": "Bearer all"}, body=parts(fits))
    assert (await world.gateway(request)).status == 200


async def test_limits_hold_over_sockets_too() -> None:
    async with World().url() as url:
        head = b"PUT %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer all\r\n" % FLOW.encode()
        async with raw_client(url) as (reader, writer):
            writer.write(head + b"Content-Length: 10000000\r\n\r\n")
            answer = await read_head(reader)
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"connection: close" in answer.lower()


async def test_media_has_no_limit_here_and_needs_no_token() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 65536

    response = await World().gateway(Request("PUT", "/media/k", query="signature=s", body=parts()))
    assert response.status == 200
    assert b'"size":13107200' in await response.read()


async def test_the_whole_way_over_two_sockets() -> None:
    world = World()
    async with by_http(world.gateway) as transport:
        outer = World(peers={"catalog": transport})
        async with outer.url() as url:
            answer = await exchange(
                url,
                b"GET /flows?a=%5B HTTP/1.1\r\nHost: store.example.com\r\nAuthorization: Bearer all\r\n"
                b"X-Tams-Request-Id: forged\r\nConnection: close\r\n\r\n",
            )
    # The inner gateway got no credentials: they end at the outer one.
    assert answer.startswith(b"HTTP/1.1 401")
    assert answer.count(b"x-request-id") == 1


async def test_client_of_one_process_and_of_another_see_the_same() -> None:
    world = World()
    async with by_http(world.gateway) as transport:
        by_socket = await Client(transport).get("/other", expect=404)
    in_memory = await Client(world.gateway).get("/other", expect=404)
    assert by_socket.json() == in_memory.json()
