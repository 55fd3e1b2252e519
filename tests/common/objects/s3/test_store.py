"""The S3 adapter beyond the contract: its windows and limits, kinds of addresses, plain URLs, and bad luck."""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
import trustme
from yarl import URL

from tams_common.clock import ManualClock
from tams_common.config import Common
from tams_common.errors import StartRefused, Unavailable
from tams_common.objects import Objects
from tams_common.objects.declared import S3Backend
from tams_common.objects.s3 import S3Objects
from tams_common.runtime import wiring
from tests import seaweed
from tests.common.objects.contract import TS, call
from tests.conformance import rule
from tools.seaweed import DOMAIN, write_storage_file

ID = "0f0f0f0f-6d5b-4a0a-9f25-0f0c5e4f1b7a"


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SK")


@asynccontextmanager
async def opened(declared: S3Backend, *, clock: ManualClock | None = None) -> AsyncIterator[S3Objects]:
    """The backend, open."""
    objects = S3Objects(declared, url_lifetime=300, **({"clock": clock} if clock else {}))
    await objects.open()
    try:
        yield objects
    finally:
        await objects.close()


async def test_urls_are_equal_within_a_window_and_differ_after_it() -> None:
    clock = ManualClock(1_700_000_040 * 10**9)
    async with opened(S3Backend(id=ID, bucket="media"), clock=clock) as objects:
        first = objects.signer("")
        clock.advance(seconds=59)
        assert objects.signer("") is first
        clock.advance(seconds=1)
        later = objects.signer("")
        assert later.get_url("k") != first.get_url("k")
        assert later.put_url("k", TS) != first.put_url("k", TS)


async def test_it_is_one_of_our_ports() -> None:
    objects: Objects = S3Objects(S3Backend(id=ID, bucket="media"), url_lifetime=300)
    assert objects.backend.id == ID


async def test_what_is_not_open_is_unavailable() -> None:
    objects = S3Objects(S3Backend(id=ID, bucket="media"), url_lifetime=300)
    with pytest.raises(Unavailable, match="is not open"):
        objects.signer("")
    with pytest.raises(Unavailable, match="is not open"):
        await objects.head("k")


async def test_urls_that_no_s3_store_would_take_stop_the_start() -> None:
    with pytest.raises(StartRefused, match=r"TAMS_MIN_PRESIGNED_URL_TIMEOUT.* 604650 s can be promised"):
        S3Objects(S3Backend(id=ID, bucket="media"), url_lifetime=604_651)
    S3Objects(S3Backend(id=ID, bucket="media"), url_lifetime=604_650)


@pytest.mark.parametrize(
    ("more", "plain"),
    [
        ({}, "https://media.s3.eu-west-2.amazonaws.com/a%20b/%C3%BC"),
        ({"addressing": "path", "prefix": "x/"}, "https://s3.eu-west-2.amazonaws.com/media/x/a%20b/%C3%BC"),
        ({"public_endpoint": "https://m.example/s3/"}, "https://media.m.example/s3/a%20b/%C3%BC"),
        ({"plain_url": "https://cdn.example/tams/", "prefix": "x/"}, "https://cdn.example/tams/x/a%20b/%C3%BC"),
    ],
)
@rule("URL-7")
async def test_plain_urls(more: dict[str, str], plain: str) -> None:
    declared = msgspec.convert({"id": ID, "bucket": "media", "region": "eu-west-2", "kind": "s3"} | more, S3Backend)
    async with opened(declared) as objects:
        assert objects.plain_url("a b/ü") == plain


async def test_clients_may_reach_the_store_by_another_name(tmp_path: Path) -> None:
    """The services use one address, clients another, in which the bucket is part of the host's name."""
    public = f"http://{DOMAIN}:{seaweed.server().port}"
    declared = seaweed.declared(tmp_path, addressing="virtual", public_endpoint=public)
    by_path = msgspec.structs.replace(declared, addressing="path")
    async with opened(by_path) as inside, opened(declared) as objects, aiohttp.ClientSession() as session:
        await inside.prepare(create=True)
        signer = objects.signer("")
        for method, url in (("PUT", signer.put_url("a b/ü+", TS)), ("GET", signer.get_url("a b/ü+"))):
            named = URL(url, encoded=True)
            assert named.host == f"{declared.bucket}.{DOMAIN}"
            headers = {"Host": f"{named.host}:{named.port}"} | ({"Content-Type": TS} if method == "PUT" else {})
            # No name of that kind is known everywhere: the address is the server's, the name only said to it.
            reached = named.with_host("127.0.0.1")
            data = b"media" if method == "PUT" else None
            async with session.request(method, reached, data=data, headers=headers) as answer:
                assert answer.status == 200, await answer.text()
        info = await inside.head("a b/ü+")
        assert info is not None
        assert info.size == 5


async def test_what_was_written_outlives_kill_9(tmp_path: Path) -> None:
    async with opened(seaweed.declared(tmp_path)) as objects:
        await objects.prepare(create=True)
        signer = objects.signer("")
        assert (await call("PUT", signer.put_url("k", TS), body=b"media", headers={"Content-Type": TS})).status == 200
        upload = await objects.begin("copy", content_type=TS, size=17 * 1024 * 1024)
        await objects.append(upload, b"x" * upload.part_size, at=0)
        async with seaweed.killed(seaweed.server()):
            pass
        assert (await call("GET", signer.get_url("k"))).body == b"media"
        assert await objects.arrived(upload) == upload.part_size


@asynccontextmanager
async def speaking(words: bytes, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that says `words` to whoever asks, and then nothing more; with none it leaves the line open."""
    leaving = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(words)
        await writer.drain()
        if not words:
            await leaving.wait()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        leaving.set()
        server.close()
        await server.wait_closed()


def at(endpoint: str) -> S3Backend:
    """A bucket of a server that is not to be trusted."""
    return S3Backend(
        id=ID,
        bucket="media",
        endpoint=endpoint,
        addressing="path",
        provider="p",
        store_product="s",
        attempts=1,
        read_timeout=0.2,
    )


CUT = b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\nETag: "x"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\nhalf'
SLOW_DOWN = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"
NOTHING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
NOT_HTTP = b"220 mail.example ESMTP\r\n\r\n"


@pytest.mark.parametrize("words", [b"", SLOW_DOWN, NOT_HTTP], ids=["silence", "overload", "not HTTP"])
async def test_a_store_that_does_not_answer_is_unavailable(words: bytes) -> None:
    async with speaking(words) as endpoint, opened(at(endpoint)) as objects:
        for step in (objects.head("k"), objects.delete("k"), objects.begin("k", content_type=TS, size=2**30)):
            with pytest.raises(Unavailable):
                await step


async def test_authorities_of_ones_own_are_trusted(tmp_path: Path) -> None:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with speaking(NOTHING, tls=tls) as endpoint:
        async with opened(at(endpoint)) as objects:
            with pytest.raises(Unavailable, match="does not answer"):
                await objects.head("k")
        trusting = msgspec.structs.replace(at(endpoint), ca_file=str(tmp_path / "ca.pem"), read_timeout=5.0)
        async with opened(trusting) as objects:
            assert await objects.head("k") is None


async def test_a_body_that_breaks_off_is_unavailable() -> None:
    async with speaking(CUT) as endpoint, opened(at(endpoint)) as objects:
        with pytest.raises(Unavailable, match="does not answer"):
            [data async for data in objects.read("k", first=0, etag="x")]


async def test_a_lost_bucket_is_no_lost_object(tmp_path: Path) -> None:
    async with opened(seaweed.declared(tmp_path, attempts=1)) as objects:
        with pytest.raises(Unavailable, match="NoSuchBucket"):
            await objects.delete("k")


def test_the_library_is_asked_for_by_name_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "storage.toml"
    write_storage_file(path, {"kind": "s3", "id": ID, "bucket": "media"})
    for name in [name for name in sys.modules if name.startswith("tams_common.objects.s3")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aioboto3", None)
    with pytest.raises(StartRefused, match=r"s3: needs the library aioboto3: install tams-common\[s3\]"):
        wiring.make_objects(Common(objects_url=f"s3:{path}"))
