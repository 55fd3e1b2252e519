"""Who gets the token, how refusals are told, and how pages are followed, on real sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from aiohttp import web

from tams_demo.connection import Connection, StoreError
from tams_demo.replies import Service
from tams_demo.store import Store
from tams_demo.timeline import Span
from tests.common.http.sockets import refusing

FLOW = UUID(int=1, version=4)


class Peer:
    """A listening socket that answers as it is told and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[web.BaseRequest] = []
        self.answers: list[web.Response] = []
        self.url = ""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        self.asked.append(request)
        return self.answers.pop(0) if self.answers else web.Response(body=b"content")


@asynccontextmanager
async def listening() -> AsyncIterator[Peer]:
    peer = Peer()
    runner = web.ServerRunner(web.Server(peer.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    peer.url = f"http://{host}:{port}"
    try:
        yield peer
    finally:
        await runner.cleanup()


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with listening() as peer:
        yield peer


@pytest.fixture
async def connection(peer: Peer) -> AsyncIterator[Connection]:
    async with Connection(f"{peer.url}/tams/", "secret") as connection:
        yield connection


async def test_the_api_gets_the_token_below_the_path_of_the_url(peer: Peer, connection: Connection) -> None:
    await connection.call("GET", "/service", expect=(200,))
    assert peer.asked[0].rel_url.path == "/tams/service"
    assert peer.asked[0].headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(("presigned", "sent"), [(True, None), (False, "Bearer secret")])
async def test_media_on_the_same_origin_gets_the_token_unless_presigned(
    peer: Peer, connection: Connection, presigned: bool, sent: str | None
) -> None:
    await connection.transfer("GET", "/media/a%2Fb?s=%3D", presigned=presigned, headers={})
    assert peer.asked[0].raw_path == "/media/a%2Fb?s=%3D"
    assert peer.asked[0].headers.get("Authorization") == sent


async def test_media_elsewhere_never_gets_the_token(connection: Connection) -> None:
    async with listening() as elsewhere:
        await connection.transfer("GET", f"{elsewhere.url}/object", presigned=False, headers={})
        assert "Authorization" not in elsewhere.asked[0].headers


async def test_an_upload_carries_exactly_the_content_type_it_was_given(peer: Peer, connection: Connection) -> None:
    headers = {"Content-Type": "video/mp2t"}
    await connection.transfer("PUT", f"{peer.url}/object", presigned=True, headers=headers, content=b"bytes")
    assert peer.asked[0].headers["Content-Type"] == "video/mp2t"
    assert peer.asked[0].headers["Content-Length"] == "5"
    assert "Transfer-Encoding" not in peer.asked[0].headers


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"title": "Forbidden", "detail": "the flow is read-only"}', "403 Forbidden: the flow is read-only"),
        (b'{"type": "x", "summary": "no such flow", "time": "now"}', "403 no such flow"),
        (b"<Error><Code>AccessDenied</Code></Error>", "<Code>AccessDenied</Code>"),
        (b"", "Forbidden"),
    ],
)
async def test_a_refusal_is_told_in_the_words_of_the_store(
    peer: Peer, connection: Connection, body: bytes, said: str
) -> None:
    peer.answers.append(web.Response(status=403, body=body))
    with pytest.raises(StoreError, match=r"GET .*/flows answered 403 ") as refusal:
        await connection.call("GET", "/flows", expect=(200,))
    assert said in str(refusal.value)


async def test_a_refused_upload_does_not_tell_its_signature(peer: Peer, connection: Connection) -> None:
    peer.answers.append(web.Response(status=403))
    with pytest.raises(StoreError) as refusal:
        await connection.transfer("PUT", f"{peer.url}/object?signature=abc", presigned=True, headers={})
    assert "signature" not in str(refusal.value)


async def test_an_answer_of_another_kind_is_an_error(peer: Peer, connection: Connection) -> None:
    peer.answers.append(web.json_response({"api_version": 8.2}))
    reply = await connection.call("GET", "/service", expect=(200,))
    with pytest.raises(StoreError, match="answered what it should not"):
        reply.read(Service)


async def test_a_store_that_is_not_there_is_an_error() -> None:
    with refusing() as url:
        async with Connection(url, None) as connection:
            with pytest.raises(StoreError, match=f"GET {url}/service: no connection: Connect call failed"):
                await connection.call("GET", "/service", expect=(200,))


async def test_pages_are_followed_until_there_is_no_next_one(peer: Peer, connection: Connection) -> None:
    segment = {"object_id": "a", "timerange": "[0:0_1:0)", "unknown": 1}
    links = [
        f'<{peer.url}/tams/flows/{FLOW}/segments?page=x%2Cy>; rel="next"',
        f'<{peer.url}/first>; rel="first", </tams/page?page=z>; rel=next',
        "",
    ]
    peer.answers.extend(web.json_response([segment], headers={"Link": link} if link else {}) for link in links)
    pages = [page async for page in Store(connection).pages(FLOW, Span(0, 10**9), limit=1)]
    assert [len(page) for page in pages] == [1, 1, 1]
    assert dict(peer.asked[0].rel_url.query) == {"timerange": "[0:0_1:0)", "limit": "1"}
    assert [request.raw_path for request in peer.asked[1:]] == [
        f"/tams/flows/{FLOW}/segments?page=x%2Cy",
        "/tams/page?page=z",
    ]


async def test_a_partly_refused_bulk_names_what_was_refused(peer: Peer, connection: Connection) -> None:
    failure = {"object_id": "a", "timerange": "[0:0_1:0)", "error": {"type": "t", "summary": "overlaps", "time": "now"}}
    peer.answers.append(web.json_response({"failed_segments": [failure]}))
    with pytest.raises(StoreError, match=r"refused 1 of 0 segments\n  a at \[0:0_1:0\): overlaps"):
        await Store(connection).register(FLOW, [])


async def test_no_room_is_an_error(peer: Peer, connection: Connection) -> None:
    peer.answers.append(web.json_response({"media_objects": []}, status=201))
    with pytest.raises(StoreError, match="made room for none of 3"):
        await Store(connection).allocate(FLOW, 3)
