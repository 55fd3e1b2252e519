"""Bad luck: killed processes, races between processes, a flow that closes while it is written."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path

import aiohttp
import msgspec
import pytest

from tams_common.bus import Offsets, Partition
from tams_common.bus.cloudevents import from_record
from tams_common.bus.sqlite import SqliteBus
from tams_common.events import SegmentsAdded
from tests.system import processes, words
from tests.system.api import Api, escaped
from tests.system.processes import TOKEN


async def segment_events(data: Path, *, until: str) -> list[str]:
    """The object ids in the `flows/segments_added` events on the bus, in order, until the one named has come.

    A kill may repeat an event, which then has the same id: it counts once.
    """

    async def from_the_start(partitions: Sequence[Partition]) -> Offsets:
        return {}

    bus = SqliteBus(data)
    await bus.open()
    consumer = await bus.consumer(f"test.{words.new_id()}", ["tams.segments"], assigned=from_the_start)
    ids: list[str] = []
    seen: set[str] = set()
    while until not in ids:
        for record in await consumer.poll(limit=1000, timeout=1):
            if record.id in seen:
                continue
            seen.add(record.id)
            event = from_record(record).event()
            assert isinstance(event, SegmentsAdded)
            ids += [msgspec.json.decode(segment)["object_id"] for segment in event.event.segments]
    await consumer.close()
    await bus.close()
    return ids


@pytest.mark.parametrize("moment", range(6))
async def test_kill_in_the_middle_of_a_bulk_post(tmp_path: Path, moment: int) -> None:
    """All of the request or none of it; its event on the bus if and only if it is there; the media intact."""
    data = tmp_path / "data"
    async with processes.dev(data) as child, Api(child.url, TOKEN) as api:
        flow = await words.make_flow(api)
        objects = [item for _ in range(3) for item in await words.allocate(api, flow, count=300)]
        ids = [item["object_id"] for item in objects]
        await api.upload(objects[0]["put_url"], b"media" * 1000)
        items = [words.segment(id_, n, end=n + 1) for n, id_ in enumerate(ids)]
        posting = asyncio.create_task(api.call("POST", f"/flows/{flow}/segments", json=items, expect=(201,)))
        await asyncio.wait([posting], timeout=moment * 0.012)
        child.kill()
        await child.process.wait()
        answered = await asyncio.gather(posting, return_exceptions=True)
        assert isinstance(answered[0], aiohttp.ClientError | OSError) or getattr(answered[0], "status", 0) == 201
    async with processes.dev(data) as child, Api(child.url, TOKEN) as api:
        stored = [item["object_id"] for item in await api.all(f"/flows/{flow}/segments?limit=300&accept_get_urls=")]
        assert stored in ([], ids)
        if not isinstance(answered[0], BaseException):
            assert stored == ids
        # A later event of the same flow: when it has come, all earlier ones have.
        (last,) = await words.fill(api, flow, count=1, start=5000)
        assert await segment_events(data, until=last) == [*stored, last]
        if stored:
            (first,) = (await api.get(f"/flows/{flow}/segments?limit=1&timerange={escaped('[0:0]')}")).json()
            assert (await api.download(first["get_urls"][0]["url"])).body == b"media" * 1000


async def test_two_processes_race_for_one_timeline(tmp_path: Path) -> None:
    """Two replicas of every service, one flow: never an overlap, never a lost segment."""
    async with processes.every_service(tmp_path / "data", replicas=2) as children:
        first, second = (child.url for child in children["api-gateway"])
        async with Api(first, TOKEN) as one, Api(second, TOKEN) as two:
            flow = await words.make_flow(one)
            accepted: list[tuple[int, int]] = []

            async def writer(api: Api, offset: int) -> None:
                ids = [item["object_id"] for item in await words.allocate(api, flow, count=40)]
                for n, id_ in enumerate(ids):
                    start = 3 * n + offset
                    body = words.segment(id_, start, end=start + 2)
                    answer = await api.call("POST", f"/flows/{flow}/segments", json=body, expect=(201, 400))
                    if answer.status == 201:
                        accepted.append((start, start + 2))

            await asyncio.gather(*(writer(api, offset) for api in (one, two) for offset in (0, 1)))
            ranges = [item["timerange"] for item in await two.all(f"/flows/{flow}/segments?limit=300")]
            assert ranges == [f"[{start}:0_{end}:0)" for start, end in sorted(accepted)]
            ordered = sorted(accepted)
            assert all(a[1] <= b[0] for a, b in pairwise(ordered))
            assert len(accepted) >= 40


async def test_read_only_holds_at_every_replica(tmp_path: Path) -> None:
    async with processes.every_service(tmp_path / "data", replicas=2) as children:
        first, second = (child.url for child in children["api-gateway"])
        async with Api(first, TOKEN) as one, Api(second, TOKEN) as two:
            flow = await words.make_flow(one)
            ids = [item["object_id"] for item in await words.allocate(two, flow, count=20)]
            for n in range(0, 20, 2):
                await two.post(f"/flows/{flow}/segments", words.segment(ids[n], n, end=n + 1))
                await one.put(f"/flows/{flow}/read_only", True, expect=204)
                body = words.segment(ids[n + 1], n + 1, end=n + 2)
                await two.post(f"/flows/{flow}/segments", body, expect=403)
                await one.post(f"/flows/{flow}/segments", body, expect=403)
                await two.put(f"/flows/{flow}/read_only", False, expect=204)


async def test_a_service_that_is_down_is_a_problem_not_an_empty_list(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        children = await stack.enter_async_context(processes.every_service(tmp_path / "data"))
        api = await stack.enter_async_context(Api(children["api-gateway"][0].url, TOKEN))
        flow = await words.make_flow(api)
        await children["segments"][0].stop()
        answer = await api.call("GET", f"/flows/{flow}/segments", expect=(502, 503))
        assert answer.json()["status"] == answer.status
        await api.get(f"/flows/{flow}")
