"""Copies of objects of which only instances elsewhere exist (INS-6): real servers, good ones and bad ones."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web

from tams_common.errors import StartRefused
from tams_segments.config import SegmentsConfig
from tams_segments.outside import Outside
from tests.common.eventually import eventually
from tests.conformance import rule
from tests.segments.copying_rig import MIB, SECOND, A, ask, begun, copied, copying, jobs, labels, media, value
from tests.segments.rig import FLOW, Rig, segment

DATA = media(20 * MIB)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with copying(tmp_path, config=SegmentsConfig(copy_allow="127.0.0.1")) as made:
        yield made


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    """A server of somebody else's; the URL of an object there."""
    app = web.Application()
    app.router.add_get("/{name:.*}", answer)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/a%2Fb?sig=%2B"
    finally:
        await runner.cleanup()


async def register(rig: Rig, url: str) -> None:
    """An object that is only at `url`, and is to be copied here."""
    item = segment(A, "[0:0_1:0)", get_urls=[{"url": url, "label": "elsewhere"}])
    await rig.client.post(f"/flows/{FLOW}/segments", item)
    await ask(rig)


@asynccontextmanager
async def working(rig: Rig) -> AsyncIterator[None]:
    """The worker runs."""
    running = asyncio.create_task(rig.copies.run())
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def made(rig: Rig) -> None:
    """Waits until the copy is shown."""

    async def is_shown() -> bool:
        return await labels(rig) == ["second", "elsewhere"]

    await eventually(is_shown)


async def failure(rig: Rig) -> None:
    """Waits until an attempt has failed."""
    await eventually(lambda: value(rig, "tams_copies_failed_total") == 1)
    assert await labels(rig) == ["elsewhere"]


async def file(request: web.Request) -> web.StreamResponse:
    """A good server, with ranges and versions."""
    assert request.raw_path == "/a%2Fb?sig=%2B"
    wanted = request.http_range
    body = DATA[wanted.start or 0 :]
    headers = {"ETag": '"v1"', "Content-Type": "video/x-other"}
    if wanted.start:
        headers["Content-Range"] = f"bytes {wanted.start}-{len(DATA) - 1}/{len(DATA)}"
    return web.Response(status=206 if wanted.start else 200, body=body, headers=headers)


@rule("INS-6", "INS-1", "SGP-14")
async def test_an_object_held_elsewhere_is_copied_here(rig: Rig) -> None:
    async with server(file) as url, working(rig):
        await register(rig, url)
        await made(rig)
    assert await copied(rig) == DATA
    (shown,) = (await rig.client.get(f"/objects/{A}?accept_storage_ids={SECOND}")).json()["get_urls"]
    assert (await rig.client.get(shown["url"])).headers["content-type"] == "video/x-other"
    await rig.client.delete(f"/objects/{A}/instances?label=elsewhere")
    assert await copied(rig) == DATA


@rule("INS-6", "INS-8")
@pytest.mark.parametrize("has_ranges", [True, False])
async def test_a_download_that_breaks_off_goes_on(rig: Rig, has_ranges: bool) -> None:
    asked: list[str | None] = []

    async def breaking(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers.get("Range"))
        if len(asked) == 2:
            response = web.StreamResponse(headers={"ETag": '"v1"', "Content-Length": str(len(DATA))})
            await response.prepare(request)
            await response.write(DATA[: 17 * MIB])
            request.transport.close() if request.transport else None
            return response
        if has_ranges:
            return await file(request)
        return web.Response(body=DATA, headers={"ETag": '"v1"'})

    async with server(breaking) as url, working(rig):
        await register(rig, url)
        await failure(rig)
        assert (await begun(rig)).etag == "v1"
        rig.clock.now += 60 * 10**9
        rig.copies.prompt()
        await made(rig)
    assert await copied(rig) == DATA
    assert f"bytes={16 * MIB}-" in asked
    assert value(rig, "tams_copied_bytes_total") == len(DATA)


@rule("INS-8")
async def test_without_a_version_nothing_is_pieced_together(rig: Rig) -> None:
    count = 0

    async def changing(request: web.Request) -> web.StreamResponse:
        nonlocal count
        count += 1
        body = DATA if count > 2 else bytes(len(DATA))
        response = web.StreamResponse(headers={"ETag": 'W/"v1"', "Content-Length": str(len(DATA))})
        await response.prepare(request)
        if count != 2:
            await response.write(body)
            return response
        await response.write(body[: 17 * MIB])
        request.transport.close() if request.transport else None
        return response

    async with server(changing) as url, working(rig):
        await register(rig, url)
        await failure(rig)
        rig.clock.now += 60 * 10**9
        rig.copies.prompt()
        await made(rig)
    assert await copied(rig) == DATA


async def answer_of(**more: object) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(**more)  # type: ignore[arg-type]

    return answer


@rule("INS-6")
@pytest.mark.parametrize(
    "more",
    [
        {"status": 404},
        {"status": 403, "body": b"secret"},
        {"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}},
        {"status": 500},
        {"status": 412},
        {"status": 204},
        {"body": b"x", "headers": {"Content-Encoding": "gzip"}},
    ],
    ids=str,
)
async def test_what_a_server_does_not_give_is_tried_again(rig: Rig, more: dict[str, object]) -> None:
    async with server(await answer_of(**more)) as url, working(rig):
        await register(rig, url)
        await failure(rig)


async def test_a_server_has_to_tell_the_size(rig: Rig) -> None:
    async def chunked(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"media")
        return response

    async with server(chunked) as url, working(rig):
        await register(rig, url)
        await failure(rig)


async def test_another_version_in_midst_is_noticed(rig: Rig) -> None:
    versions = iter(range(100))

    async def moving(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"media", headers={"ETag": f'"{next(versions)}"'})

    async with server(moving) as url, working(rig):
        await register(rig, url)
        await failure(rig)


@rule("INS-6")
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "http://localhost:1/x", "file:///etc/passwd", "s3://bucket/key", "nonsense"]
)
async def test_only_what_the_operator_lets_be_reached_is_read(tmp_path: Path, url: str) -> None:
    async with copying(tmp_path) as rig, working(rig):
        await register(rig, url)
        await failure(rig)
        assert len(await jobs(rig)) == 1


def test_a_bad_list_stops_the_start() -> None:
    with pytest.raises(StartRefused, match="TAMS_SEGMENTS_COPY_ALLOW"):
        Outside("10.0.0.1/8")
