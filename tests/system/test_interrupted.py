"""Work that is cut short: by a full disk, by a service that dies in the middle, by a store that is told to stop."""

import asyncio
import resource
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from tests.common.eventually import eventually
from tests.stores import on_sqlite_files
from tests.system import processes, words
from tests.system.api import Api
from tests.system.processes import TOKEN, Child

ROOM: Final = 3_000_000
"""Bytes that a file may have on the disk that is full."""
UNLIMITED: Final = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

needs_limits = pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="only Linux can fill the disk of one process"
)


def limit_files(child: Child, limits: tuple[int, int]) -> None:
    """No file of `child` grows beyond the limit: to a program that writes, this looks like a full disk."""
    resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, limits)


def next_segments(object_id: str, *, after: int, count: int = 2000) -> list[dict[str, object]]:
    """Segments of a second each, all of the same object, behind the first `after` ones."""
    return [words.segment(object_id, n, end=n + 1, ts_offset=f"{n}:0") for n in range(after, after + count)]


@on_sqlite_files
@needs_limits
async def test_a_full_disk_refuses_and_loses_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with processes.dev(data) as child, Api(child.url, TOKEN) as api:
        flow = await words.make_flow(api)
        path = f"/flows/{flow}/segments"
        kept, refused = await words.allocate(api, flow, count=2)
        await api.upload(kept["put_url"], b"media")
        limit_files(child, (ROOM, resource.RLIM_INFINITY))
        headers = {"Content-Type": refused["put_url"]["content-type"]}
        answer = await api.call("PUT", refused["put_url"]["url"], data=b"x" * 2 * ROOM, headers=headers, expect=503)
        assert answer.headers["Retry-After"]
        assert not list(data.glob("media/**/*.part"))
        batch, stored = next_segments(kept["object_id"], after=0), list[str]()
        while (answer := await api.call("POST", path, json=batch, expect=(201, 503))).status == 201:
            stored += [str(item["timerange"]) for item in batch]
            batch = next_segments(kept["object_id"], after=len(stored))
        assert answer.headers["Retry-After"]
        await api.get(path)
        await api.get("/healthz")
        limit_files(child, UNLIMITED)
        await api.post(path, batch)
        stored += [str(item["timerange"]) for item in batch]
        assert [item["timerange"] for item in await api.all(f"{path}?limit=1000&accept_get_urls=")] == stored
        await api.upload(refused["put_url"], b"x" * 2 * ROOM)

        async def told() -> bool:
            return "segments_updated" in (await api.get(f"/flows/{flow}")).json()

        await eventually(told)


async def test_a_deletion_that_nobody_finished_is_finished_after_a_restart(tmp_path: Path) -> None:
    """segments is down when catalog hides the flow, then catalog is killed: the next start does the rest."""
    data = tmp_path / "data"
    async with processes.every_service(data) as children, Api(children["api-gateway"][0].url, TOKEN) as api:
        flow = await words.make_flow(api)
        (object_id,) = await words.fill(api, flow, count=1)
        body = (await api.get(f"/flows/{flow}")).json()
        children["segments"][0].kill()
        await children["segments"][0].process.wait()
        await api.delete(f"/flows/{flow}")
        await api.get(f"/flows/{flow}", expect=404)
        children["catalog"][0].kill()
        await children["catalog"][0].process.wait()
    async with processes.dev(data) as child, Api(child.url, TOKEN) as api:
        await api.get(f"/flows/{flow}", expect=404)

        async def gone() -> bool:
            return (await api.call("GET", f"/objects/{object_id}", expect=(200, 404))).status == 404

        async def created() -> bool:
            return (await api.put(f"/flows/{flow}", body, expect=(201, 400))).status == 201

        await eventually(gone)
        await eventually(created)
        assert (await api.get(f"/flows/{flow}/segments")).json() == []


@pytest.mark.parametrize("moment", [0, 0.01, 0.03, 0.1])
async def test_a_bulk_post_that_a_stop_meets_is_answered_or_refused(tmp_path: Path, moment: float) -> None:
    data = tmp_path / "data"
    async with processes.dev(data) as child, Api(child.url, TOKEN) as api:
        flow = await words.make_flow(api)
        (item,) = await words.allocate(api, flow, count=1)
        items = next_segments(item["object_id"], after=0, count=5000)
        posting = asyncio.create_task(api.call("POST", f"/flows/{flow}/segments", json=items, expect=(201, 502, 503)))
        await asyncio.wait([posting], timeout=moment)
        assert await child.stop() == 0
        (answer,) = await asyncio.gather(posting, return_exceptions=True)
        log = child.log.read_text()
    assert "Traceback" not in log, log
    async with processes.dev(data) as child, Api(child.url, TOKEN) as api:
        stored = await api.all(f"/flows/{flow}/segments?limit=1000&accept_get_urls=")
        if isinstance(answer, BaseException):
            assert isinstance(answer, aiohttp.ClientError | OSError), answer
            assert len(stored) in (0, len(items))
        else:
            assert len(stored) == (len(items) if answer.status == 201 else 0)
