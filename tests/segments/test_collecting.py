"""The collector: what fails is tried again, later each time, and nothing waits behind it (TMO-2)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from tams_common.objects.local.files import path_of
from tams_common.store import Query
from tams_segments.tables import GARBAGE, Garbage
from tests.common.eventually import eventually
from tests.conformance import rule
from tests.segments.rig import FLOW, Rig, segment


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
