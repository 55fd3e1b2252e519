"""A browser follows the store: a page of another origin, with the browser's own EventSource."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from tests.common.eventually import eventually
from tests.system import words
from tests.system.api import Api
from tests.system.processes import TOKEN

CHROMIUM = shutil.which("chromium")
PAGE = """<!doctype html><script>
const tell = (what) => fetch("/told", {method: "POST", body: JSON.stringify(what)});
const source = new EventSource("URL");
source.onopen = () => tell({id: "", event: "open", data: ""});
for (const type of ["sources/created", "flows/created", "flows/deleted"])
  source.addEventListener(type, (event) => tell({id: event.lastEventId, event: event.type, data: event.data}));
</script>"""

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: put `chromium` on the PATH"),
]


class Told(msgspec.Struct, frozen=True):
    """What the page was told by its EventSource."""

    id: str
    event: str
    data: str


@asynccontextmanager
async def browsing(url: str, scratch: Path) -> AsyncIterator[list[Told]]:
    """Chromium on a page that follows the stream at `url`; what the page hears."""
    told: list[Told] = []

    async def serve(request: web.BaseRequest) -> web.Response:
        if request.method == "POST":
            told.append(msgspec.json.decode(await request.read(), type=Told))
            return web.Response(status=204)
        return web.Response(text=PAGE.replace("URL", url), content_type="text/html")

    runner = web.ServerRunner(web.Server(serve))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    page = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server", f"--user-data-dir={scratch}")
    browser = await asyncio.create_subprocess_exec(
        CHROMIUM or "",
        *options,
        "--remote-debugging-port=0",
        page,
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
    async with browsing(url, tmp_path) as told:
        await eventually(lambda: [item.event for item in told] == ["open"])
        flow_id = await words.make_flow(memory_api)
        await eventually(lambda: {item.event for item in told[1:]} == {"sources/created", "flows/created"})
        created = next(item for item in told if item.event == "flows/created")
        assert msgspec.json.decode(created.data)["event"]["flow"]["id"] == flow_id
        first, second = sorted(int(item.id) for item in told[1:])
        assert second == first + 1
