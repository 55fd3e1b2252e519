"""The collector: what fails is tried again, later each time, and nothing waits behind it (TMO-2)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from msgspec.structs import replace

from tams_common.clock import SECOND
from tams_common.objects.local.files import path_of
from tams_common.objects.s3 import S3Objects
from tams_common.store import Query
from tams_segments.collector import Collector
from tams_segments.tables import ALLOCATIONS, GARBAGE, OBJECTS, Allocation, Garbage
from tests import seaweed
from tests.common.eventually import eventually
from tests.conformance import rule
from tests.segments.rig import FLOW, Rig, running, segment


async def garbage(rig: Rig) -> list[Garbage]:
    return (await rig.store.read(lambda tx: tx.scan(GARBAGE, Query()))).rows


async def throw_away(rig: Rig, *keys: str, storage_id: str | None = None) -> None:
    backend = storage_id or rig.objects.backend.id
    await rig.store.run(lambda tx: tx.insert(GARBAGE, [Garbage(rig.clock.now, key, backend) for key in keys]))


@rule("TMO-2")
async def test_what_cannot_be_removed_is_put_off_alone(rig: Rig) -> None:
    await rig.objects.put("good", _bytes(), headers={})
    stubborn = path_of(rig.objects.directory, "bad")
    stubborn.mkdir(parents=True)
    await throw_away(rig, "bad", "good")
    await rig.collector.sweep()
    assert await rig.objects.head("good") is None
    (left,) = await garbage(rig)
    assert (left.storage_key, left.tries) == ("bad", 1)
    await rig.collector.sweep()
    assert await garbage(rig) == [left]
    stubborn.rmdir()
    rig.clock.now = left.due
    await rig.collector.sweep()
    assert await garbage(rig) == []


async def test_bytes_of_a_backend_that_is_gone_wait_for_its_return(rig: Rig) -> None:
    await throw_away(rig, "lost", storage_id="elsewhere")
    await rig.collector.sweep()
    (left,) = await garbage(rig)
    assert (left.storage_id, left.tries) == ("elsewhere", 1)


async def test_a_backend_that_is_down_is_not_asked_for_each_of_many_bytes(rig: Rig) -> None:
    names = [f"bad-{number}" for number in range(30)]
    for name in names:
        path_of(rig.objects.directory, name).mkdir(parents=True)
    await throw_away(rig, *names)
    await rig.collector.sweep()
    left = await garbage(rig)
    assert {row.storage_key for row in left} == set(names)
    # Eight failures are enough, and seven others may be under way by then.
    assert 8 <= sum(row.tries for row in left) <= 15
    assert {row.due - rig.clock.now for row in left} == {30 * SECOND}
    for name in names:
        path_of(rig.objects.directory, name).rmdir()
    rig.clock.advance(seconds=30)
    await rig.collector.sweep()
    assert await garbage(rig) == []


async def test_more_than_one_batch_goes_in_one_sweep(rig: Rig) -> None:
    await throw_away(rig, *map(str, range(450)))
    await rig.collector.sweep()
    assert await garbage(rig) == []


@rule("INI-10", "SGP-29", "INI-14")
async def test_an_init_object_that_nothing_needs_goes_as_others_do(rig: Rig) -> None:
    rig.catalog.put(FLOW, init_segments=True)
    body = {"object_ids": ["used", "unused", "media", "more"], "content_type": "video/mp4"}
    await rig.client.post(f"/flows/{FLOW}/storage", body)
    path = f"/flows/{FLOW}/segments"
    await rig.client.post(path, segment("media", "[0:0_1:0)", init_object_id="used"))
    rig.clock.advance(seconds=600)
    await rig.collector.sweep()
    await rig.client.post(path, segment("more", "[1:0_2:0)", init_object_id="unused"), expect=400)
    assert (await rig.client.get("/objects/used")).json()["referenced_by_flows"] == [FLOW]


async def allocations(rig: Rig) -> list[Allocation]:
    return (await rig.store.read(lambda tx: tx.scan(ALLOCATIONS, Query()))).rows


@rule("TMO-3")
async def test_an_allocation_whose_life_is_longer_by_now_is_still_collected(rig: Rig) -> None:
    """`TAMS_MIN_OBJECT_TIMEOUT` was raised after the object was allocated."""
    rig.catalog.put(FLOW)
    await rig.allocate("x")
    await rig.upload("x", b"media")
    (allocated,) = await allocations(rig)
    common = replace(rig.parts.common, min_object_timeout=1200)
    longer = Collector(rig.store, rig.parts.objects, clock=rig.clock, common=common, interval=30)
    rig.clock.advance(seconds=600)
    for _ in range(2):
        await longer.sweep()
        assert await rig.store.read(lambda tx: tx.get(OBJECTS, ("x",))) is not None
    rig.clock.advance(seconds=600)
    await longer.sweep()
    assert (await rig.store.read(lambda tx: tx.get(OBJECTS, ("x",))), await allocations(rig)) == (None, [])
    (waiting,) = await garbage(rig)
    rig.clock.now = waiting.due
    await longer.sweep()
    assert await rig.objects.head(waiting.storage_key) is None
    await rig.allocate(allocated.object_id)


@rule("TMO-3", "STO-4")
async def test_an_id_that_was_allocated_anew_has_the_whole_time_again(rig: Rig) -> None:
    rig.catalog.put(FLOW)
    await rig.allocate("x")
    await rig.client.post(f"/flows/{FLOW}/segments", segment("x", "[0:0_1:0)"))
    await rig.client.delete(f"/flows/{FLOW}/segments")
    rig.clock.advance(seconds=599)
    await rig.allocate("x")
    rig.clock.advance(seconds=1)
    await rig.collector.sweep()
    (again,) = await allocations(rig)
    rig.clock.now = again.due - 1
    await rig.collector.sweep()
    assert await allocations(rig) == [again]
    rig.clock.advance(seconds=1)
    await rig.collector.sweep()
    assert await allocations(rig) == []
    assert await rig.store.read(lambda tx: tx.get(OBJECTS, ("x",))) is None


@rule("TMO-2", "INS-11")
@pytest.mark.parametrize("how", ["segment", "instance"])
async def test_an_upload_that_comes_after_the_removal_is_removed_too(rig: Rig, how: str) -> None:
    rig.catalog.put(FLOW)
    body = {"object_ids": ["x"]}
    place = (await rig.client.post(f"/flows/{FLOW}/storage", body)).json()["media_objects"][0]
    url, kind = place["put_url"]["url"], {"content-type": place["put_url"]["content-type"]}
    await rig.client.send("PUT", url, body=b"media", headers=kind, expect=200)
    await rig.client.post(f"/flows/{FLOW}/segments", segment("x", "[0:0_1:0)"))
    known = await rig.store.read(lambda tx: tx.get(OBJECTS, ("x",)))
    assert known is not None
    key = str(known.storage_key)
    if how == "segment":
        await rig.client.delete(f"/flows/{FLOW}/segments")
    else:
        await rig.client.post("/objects/x/instances", {"url": "https://media.example/x", "label": "elsewhere"})
        await rig.client.delete(f"/objects/x/instances?storage_id={rig.objects.backend.id}")
    await rig.collector.sweep()
    assert await rig.objects.head(key) is None
    rig.clock.advance(seconds=300)  # for so long the URL is promised to work
    await rig.client.send("PUT", url, body=b"retried", headers=kind, expect=200)
    (last,) = await garbage(rig)
    rig.clock.now = last.due - 1
    await rig.client.send("PUT", url, body=b"too late", headers=kind, expect=403)
    await rig.collector.sweep()
    assert await rig.objects.head(key) is not None
    rig.clock.advance(seconds=1)
    await rig.collector.sweep()
    assert (await rig.objects.head(key), await garbage(rig)) == (None, [])


@rule("TMO-2")
async def test_an_upload_to_a_bucket_that_comes_after_the_removal_is_removed_too(tmp_path: Path) -> None:
    bucket = S3Objects(seaweed.declared(tmp_path, default=False), url_lifetime=300)
    async with running(tmp_path, more=[bucket]) as rig, aiohttp.ClientSession() as session:
        await bucket.prepare(create=True)
        rig.catalog.put(FLOW)
        body = {"object_ids": ["x"], "storage_id": bucket.backend.id}
        place = (await rig.client.post(f"/flows/{FLOW}/storage", body)).json()["media_objects"][0]["put_url"]

        async def upload() -> int:
            kind = {"content-type": place["content-type"]}
            async with session.put(place["url"], data=b"media", headers=kind) as response:
                return response.status

        assert await upload() == 200
        await rig.client.post(f"/flows/{FLOW}/segments", segment("x", "[0:0_1:0)"))
        await rig.client.delete(f"/flows/{FLOW}/segments")
        await rig.collector.sweep()
        assert [entry async for entry in bucket.entries()] == []
        assert await upload() == 200
        rig.clock.advance(seconds=2 * 3600)
        await rig.collector.sweep()
        assert [entry async for entry in bucket.entries()] == []


async def test_what_could_not_be_removed_at_first_is_still_removed_twice(rig: Rig) -> None:
    stubborn = path_of(rig.objects.directory, "bad")
    stubborn.mkdir(parents=True)
    row = Garbage(rig.clock.now, "bad", rig.objects.backend.id, created=rig.clock.now)
    await rig.store.run(lambda tx: tx.insert(GARBAGE, [row]))
    await rig.collector.sweep()
    stubborn.rmdir()
    (left,) = await garbage(rig)
    rig.clock.now = left.due
    await rig.collector.sweep()
    (last,) = await garbage(rig)
    assert (last.tries, last.due - row.created > 3600 * 10**9) == (0, True)


async def test_old_objects_are_removed_once(rig: Rig) -> None:
    """Nobody can upload them any more."""
    rig.catalog.put(FLOW)
    await rig.add("[0:0_1:0)")
    rig.clock.advance(seconds=5000)
    await rig.client.delete(f"/flows/{FLOW}/segments")
    await rig.collector.sweep()
    assert await garbage(rig) == []


async def test_it_looks_when_asked(rig: Rig) -> None:
    collector = rig.collector
    running = asyncio.create_task(collector.run())
    await rig.objects.put("key", _bytes(), headers={})
    await throw_away(rig, "key")
    collector.prompt()

    async def is_gone() -> bool:
        return await rig.objects.head("key") is None and await garbage(rig) == []

    await eventually(is_gone)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def _bytes() -> AsyncIterator[bytes]:
    yield b"media"
