"""gzip at the gateway: smaller answers for those who take them, with a tag of their own."""

import gzip

import pytest

from tams_api_gateway.encoding import takes_gzip
from tams_common.http.app import ServiceApp
from tams_common.http.codec import json_response
from tams_common.http.etag import check_if_match, etag_of
from tams_common.http.message import Request, Response
from tams_common.http.routing import Route
from tests.api_gateway.gateways import World
from tests.common.http_client import Client

LARGE = b'["%s"]' % (b"segment " * 20_000)
MEDIUM = b'["%s"]' % (b"segment " * 200)
SMALL = b'["segment"]'
BODIES = {"/flows": LARGE, "/sources": MEDIUM, "/service": SMALL}


async def answer(request: Request) -> Response:
    return json_response(BODIES[request.path])


async def put(request: Request) -> Response:
    check_if_match(request, MEDIUM)
    return Response(204)


@pytest.fixture
def client() -> Client:
    routes = [Route("GET", path, answer) for path in BODIES]
    return World(ServiceApp([*routes, Route("PUT", "/flows/{flow_id}", put)])).client()


ZIPPED = {"accept-encoding": "gzip, deflate"}


@pytest.mark.parametrize("path", ["/flows", "/sources"])
async def test_a_list_travels_compressed(client: Client, path: str) -> None:
    found = await client.get(path, headers=ZIPPED)
    assert found.headers["content-encoding"] == "gzip"
    assert found.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(found.body) == BODIES[path]
    assert len(found.body) < len(BODIES[path]) / 5
    head = await client.head(path, headers=ZIPPED)
    assert {name: head.headers[name] for name in ("content-encoding", "etag")} == {
        name: found.headers[name] for name in ("content-encoding", "etag")
    }
    assert "content-length" not in head.headers


@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "br, gzip; q=0.000", "br"])
async def test_who_does_not_take_gzip_gets_the_plain_answer(client: Client, accepted: str) -> None:
    found = await client.get("/flows", headers={"accept-encoding": accepted})
    assert "content-encoding" not in found.headers
    assert found.headers["vary"] == "Accept-Encoding"
    assert found.body == LARGE


async def test_small_answers_are_not_worth_it(client: Client) -> None:
    found = await client.get("/service", headers=ZIPPED)
    assert found.body == SMALL
    assert found.headers["etag"] == etag_of(SMALL)


async def test_each_encoding_has_a_tag_and_both_are_understood(client: Client) -> None:
    plain = (await client.get("/sources")).headers["etag"]
    zipped = (await client.get("/sources", headers=ZIPPED)).headers["etag"]
    assert plain != zipped
    for tag in (plain, zipped):
        await client.send("GET", "/sources", expect=304, headers={"If-None-Match".lower(): tag, **ZIPPED})
        await client.send("PUT", "/flows/x", expect=204, headers={"if-match": tag})
    await client.send("PUT", "/flows/x", expect=412, headers={"if-match": '"other-gzip"'})


@pytest.mark.parametrize(
    ("header", "taken"),
    [("gzip", True), ("*", True), ("br;q=1.0, GZIP;q=0.5", True), ("deflate", False), ("gzip;q=0.0", False)],
)
def test_the_header_is_read_as_the_rfc_says(header: str, taken: bool) -> None:
    assert takes_gzip(header) is taken
