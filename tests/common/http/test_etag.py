"""Entity tags by the kit: a reader that has the answer already gets 304, a writer that saw an older state 412."""

import pytest

from tams_common.errors import PreconditionFailed
from tams_common.http.app import ServiceApp
from tams_common.http.codec import json_response
from tams_common.http.etag import check_if_match, etag_of, names
from tams_common.http.message import Request, Response
from tams_common.http.routing import Route
from tests.common.http_client import Client

BODY = b'{"label":"a"}'


async def label(request: Request) -> Response:
    return json_response(BODY, headers={"link": '<http://x/>; rel="next"', "x-paging-limit": "30"})


async def own(request: Request) -> Response:
    return Response(200, b"bytes", {"etag": '"own"'})


async def put(request: Request) -> Response:
    check_if_match(request, BODY)
    return Response(204)


@pytest.fixture
def client() -> Client:
    return Client(ServiceApp([Route("GET", "/label", label), Route("PUT", "/label", put), Route("GET", "/own", own)]))


async def test_the_tag_is_a_hash_of_the_body(client: Client) -> None:
    first, second = await client.get("/label"), await client.head("/label")
    assert first.headers["etag"] == second.headers["etag"] == etag_of(BODY)
    assert etag_of(BODY) != etag_of(BODY + b" ")
    assert (await client.get("/own")).headers["etag"] == '"own"'


@pytest.mark.parametrize("asked", [etag_of(BODY), f'"other", {etag_of(BODY)}', f"W/{etag_of(BODY)}", "*", " * "])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_known_answer_is_not_sent_again(client: Client, method: str, asked: str) -> None:
    answer = await client.send(method, "/label", expect=304, headers={"if-none-match": asked})
    assert answer.body == b""
    assert answer.headers == {"etag": etag_of(BODY), "link": '<http://x/>; rel="next"', "x-paging-limit": "30"}


@pytest.mark.parametrize("asked", ['"other"', "", etag_of(BODY).strip('"')])
async def test_an_unknown_answer_is_sent(client: Client, asked: str) -> None:
    assert (await client.get("/label", headers={"if-none-match": asked})).body == BODY


async def test_a_write_on_an_older_state_is_refused(client: Client) -> None:
    await client.send("PUT", "/label", expect=204, headers={"if-match": etag_of(BODY)})
    await client.send("PUT", "/label", expect=204, headers={"if-match": "*"})
    problem = (await client.send("PUT", "/label", expect=412, headers={"if-match": '"older"'})).json()
    assert etag_of(BODY) in problem["detail"]
    assert problem["field"] == "If-Match"


def test_nothing_matches_what_does_not_exist() -> None:
    with pytest.raises(PreconditionFailed, match="there is no such resource"):
        check_if_match(Request("PUT", "/x", headers={"if-match": "*"}), None)
    check_if_match(Request("PUT", "/x"), None)


def test_only_whole_tags_count() -> None:
    assert names('W/"a", "b"', '"b"')
    assert not names('"ab"', '"b"')
