"""A browser at the store: pages of another origin follow it by an EventSource, and upload media that is verified."""

import asyncio
import base64
import hashlib
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web

from tests.common.eventually import eventually
from tests.conformance import rule
from tests.system import words
from tests.system.api import Api
from tests.system.processes import TOKEN

CHROMIUM = shutil.which("chromium")
EVENTS = Path(__file__).parents[2] / "docs" / "events.md"
FOLLOW = re.search(r"^function follow.*?^}$", EVENTS.read_text(), re.MULTILINE | re.DOTALL)
"""What a page that follows the store is told to do."""
TELL = """const tell = (what) => fetch("/told", {method: "POST", body: JSON.stringify(what)});"""
LISTEN = """
const source = new EventSource("URL");
source.onopen = () => tell({id: "", event: "open", data: ""});
for (const type of ["sources/created", "flows/created", "flows/deleted"])
  source.addEventListener(type, (event) => tell({id: event.lastEventId, event: event.type, data: event.data}));
"""
PERSISTENT = """
FOLLOW
follow("URL", {
  "flows/created": ({flow}) => tell({id: flow.id, event: "flows/created", data: ""}),
}, () => tell({id: "", event: "load", data: ""}));
"""
UPLOAD = """
fetch("URL", {method: "PUT", headers: HEADERS, body: "media"}).then(
  ({headers}) => tell({id: headers.get("etag"), event: "stored", data: headers.get("x-amz-checksum-sha256")}),
  (error) => tell({id: "", event: "refused", data: String(error)}));
"""

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: put `chromium` on the PATH"),
]


class Told(msgspec.Struct, frozen=True):
    """What the page was told by the store."""

    id: str
    event: str
    data: str


class Door:
    """What a page asks on its way to the stream at `url`: it refuses while it is `shut`, and sends on otherwise."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.shut = False
        self.refused = 0
        self.streams: list[asyncio.Transport | None] = []

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request: a stream that goes through here, so that it can be cut."""
        if self.shut:
            self.refused += 1
            return web.Response(status=503, headers={"Retry-After": "1"})
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        last = {"Last-Event-ID": request.headers["Last-Event-ID"]} if "Last-Event-ID" in request.headers else {}
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
            session.get(f"{self.url}&{request.query_string}".removesuffix("&"), headers=last) as stream,
        ):
            assert stream.status == 200, await stream.text()
            await answer.prepare(request)
            self.streams.append(request.transport)
            async for part in stream.content.iter_any():
                await answer.write(part)
        return answer

    def cut(self) -> None:
        """Breaks every stream off, and shuts."""
        self.shut = True
        for transport in self.streams:
            if transport is not None:
                transport.abort()


@asynccontextmanager
async def browsing(script: str, scratch: Path, *, door: Door | None = None) -> AsyncIterator[list[Told]]:
    """Chromium on a page with `script`, whose own server has `door` at `/events`; what the page hears."""
    told: list[Told] = []

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        if door is not None and request.path == "/events":
            return await door.serve(request)
        if request.method == "POST":
            told.append(msgspec.json.decode(await request.read(), type=Told))
            return web.Response(status=204)
        return web.Response(text=f"<!doctype html><script>{TELL}{script}</script>", content_type="text/html")

    runner = web.ServerRunner(web.Server(serve, handler_cancellation=True))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    place = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server", f"--user-data-dir={scratch}")
    browser = await asyncio.create_subprocess_exec(
        CHROMIUM or "",
        *options,
        "--remote-debugging-port=0",
        place,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield told
    finally:
        browser.terminate()
        await browser.wait()
        await runner.cleanup()


async def test_a_page_follows_the_store(memory_api: Api, tmp_path: Path) -> None:
    url = f"{memory_api.url}/events?access_token={TOKEN}"
    async with browsing(LISTEN.replace("URL", url), tmp_path) as told:
        await eventually(lambda: [item.event for item in told] == ["open"])
        flow_id = await words.make_flow(memory_api)
        await eventually(lambda: {item.event for item in told[1:]} == {"sources/created", "flows/created"})
        created = next(item for item in told if item.event == "flows/created")
        assert msgspec.json.decode(created.data)["event"]["flow"]["id"] == flow_id
        first, second = sorted(int(item.id) for item in told[1:])
        assert second == first + 1


async def test_a_page_that_does_as_it_is_told_outlives_refusals(memory_api: Api, tmp_path: Path) -> None:
    """An EventSource alone would give up at the first 503."""
    assert FOLLOW is not None
    script = PERSISTENT.replace("FOLLOW", FOLLOW[0]).replace("URL", "/events?")
    door = Door(f"{memory_api.url}/events?access_token={TOKEN}")
    door.shut = True
    async with browsing(script, tmp_path, door=door) as told:
        await eventually(lambda: door.refused >= 2)
        assert told == []
        door.shut = False
        await eventually(lambda: [item.event for item in told] == ["load"])
        flows = [await words.make_flow(memory_api)]
        await eventually(lambda: [item.id for item in told[1:]] == flows)
        door.cut()
        flows.append(await words.make_flow(memory_api))
        await eventually(lambda: door.refused >= 3)
        door.shut = False
        await eventually(lambda: [item.id for item in told[1:]] == flows)
        assert [item.event for item in told] == ["load", "flows/created", "flows/created"]


@rule("INT-3", "STO-20")
async def test_a_page_has_its_upload_verified(memory_api: Api, tmp_path: Path) -> None:
    flow = await words.make_flow(memory_api)
    (item,) = await words.allocate(memory_api, flow, count=1)
    put_url = item["put_url"]
    sha = base64.b64encode(hashlib.sha256(b"media").digest()).decode()
    headers = {"Content-Type": put_url["content-type"], "x-amz-checksum-sha256": sha}
    script = UPLOAD.replace("URL", put_url["url"]).replace("HEADERS", json.dumps(headers))
    async with browsing(script, tmp_path) as told:
        await eventually(lambda: bool(told))
        assert told == [Told(f'"{hashlib.md5(b"media").hexdigest()}"', "stored", sha)]
