"""The service in two processes on the same tables: writers, collectors and deletions, killed or side by side."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from tams_common.http.codec import encode_json
from tams_common.store import Query
from tams_common.timerange import TimeRange
from tams_segments.tables import GARBAGE, OBJECTS, SEGMENTS
from tests.common.child import Child, child
from tests.common.eventually import eventually
from tests.conformance import rule
from tests.segments.replica import HASTY
from tests.segments.rig import FACTS, FLOW, OTHER_FLOW, Rig, object_id, running, seconds, segment
from tests.stores import HANDED, VAST, handed

PATH = f"/flows/{FLOW}/segments"
MANY = 40 if VAST else 400
"""Segments whose deletion goes on until somebody has looked; on VAST DB each step takes longer."""


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """The service in this process."""
    monkeypatch.setenv(HANDED, handed(tmp_path))
    async with running(tmp_path / "media", directory=tmp_path, config=HASTY) as made:
        made.catalog.put(FLOW)
        made.catalog.put(OTHER_FLOW)
        yield made


async def told(process: Child) -> list[str]:
    """Everything that a child tells before it ends."""
    words = []
    while word := await process.tell():
        words.append(word)
    return words


async def rows(rig: Rig) -> tuple[int, int, int]:
    """How many segments, objects and bytes to remove there are."""
    segments = await rig.store.read(lambda tx: tx.select(SEGMENTS, ("start_ns",), query=Query()))
    objects = await rig.store.read(lambda tx: tx.select(OBJECTS, ("id",), query=Query()))
    garbage = await rig.store.read(lambda tx: tx.select(GARBAGE, ("due",), query=Query()))
    return len(segments.rows), len(objects.rows), len(garbage.rows)


@rule("SGP-8")
async def test_writers_in_two_processes_never_overlap_and_lose_nothing(rig: Rig, tmp_path: Path) -> None:
    theirs, mine = [object_id(number) for number in range(100)], [object_id(number) for number in range(100, 200)]
    await rig.allocate(*theirs, *mine)
    async with child("tests.segments.replica", "write", str(tmp_path), *theirs) as other:
        assert await other.tell() == "ready"
        accepted = []
        for at, name in enumerate(mine):
            timerange = f"[{at}:500000000_{at + 1}:0]"
            answer = await rig.client.send("POST", PATH, body=encode_json(segment(name, timerange)))
            assert answer.status in (201, 400)
            if answer.status == 201:
                accepted.append(timerange)
        accepted += await told(other)
    stored = [TimeRange.parse(text) for text in await rig.timeranges()]
    assert sorted(accepted) == sorted(map(str, stored))
    assert not any(first.overlaps(second) for first, second in pairwise(stored))
    events = [item["timerange"] for event in await rig.told("flows/segments_added") for item in event["segments"]]
    assert sorted(events) == sorted(accepted)


@rule("TMO-6", "SGP-29")
async def test_registering_and_collecting_in_two_processes_do_not_both_win(rig: Rig, tmp_path: Path) -> None:
    names = [object_id(number) for number in range(400)]
    await rig.allocate(*names)
    async with child("tests.segments.replica", "collect", str(tmp_path)) as other:
        assert await other.tell() == "ready"
        statuses = []
        for name, timerange in zip(reversed(names), seconds(*range(400)), strict=True):
            statuses.append((await rig.client.send("POST", PATH, body=encode_json(segment(name, timerange)))).status)
        await told(other)
    for name, status in zip(reversed(names), statuses, strict=True):
        assert status in (201, 400)
        await rig.client.get(f"/objects/{name}", expect=200 if status == 201 else 404)
    registered = statuses.count(201)
    assert await rows(rig) == (registered, registered, 400 - registered)


@pytest.mark.skipif(VAST, reason="what a killed process has locked on VAST DB stays so until its transaction expires")
@rule("DEL-10")
@pytest.mark.parametrize("flow_id", [FLOW, OTHER_FLOW])
@pytest.mark.parametrize("steps", [0, 1, 5])
async def test_a_deletion_goes_on_after_its_process_was_killed(
    rig: Rig, tmp_path: Path, flow_id: str, steps: int
) -> None:
    await rig.add(*seconds(*range(MANY)), flow_id=flow_id)
    async with child("tests.segments.replica", "delete", str(tmp_path), flow_id) as other:
        name = await other.tell()
        for _ in range(steps):
            assert await other.tell() == "moved"
        await other.kill()
    assert await rig.timeranges(flow_id=flow_id) == []
    segments, objects, garbage = await rows(rig)
    assert 0 < segments == objects == MANY - garbage
    assert not (steps and await rig.worker.sweep()), "the dead one's lease holds"
    rig.clock.advance(seconds=10)
    while await rig.worker.sweep():
        pass
    assert (await rig.client.get(f"/flow-delete-requests/{name}")).json()["status"] == "done"
    assert await rows(rig) == (0, 0, MANY)
    await rig.collector.sweep()
    rig.clock.advance(seconds=2 * 3600)  # until no upload can bring anything back
    await rig.collector.sweep()
    assert await rows(rig) == (0, 0, 0)
    events = [event["timerange"] for event in await rig.told("flows/segments_deleted")]
    assert events == ([f"[{at}:0_{at + 2}:0)" for at in range(0, MANY, 2)] if flow_id == FLOW else [])
    assert rig.catalog.let_go == ([] if flow_id == FLOW else [FACTS.incarnation])


@rule("DEL-10")
async def test_one_worker_at_a_time_carries_deletions_on(rig: Rig, tmp_path: Path) -> None:
    async with running(tmp_path / "media", directory=tmp_path, catalog=rig.catalog, config=HASTY) as other:
        await rig.add(*seconds(*range(MANY)))
        path = f"/flow-delete-requests/{(await rig.client.delete(PATH, expect=202)).json()['id']}"
        assert await rig.worker.sweep()
        assert not await other.worker.sweep()
        for each in (rig, other):
            each.clock.advance(seconds=10)
        assert await other.worker.sweep()
        assert not await rig.worker.sweep()
        found = (await rig.client.get(path)).json()

        async def has_moved() -> bool:
            return bool((await rig.client.get(path)).json() != found)

        async def is_done() -> bool:
            return bool((await rig.client.get(path)).json()["status"] == "done")

        leaving = asyncio.create_task(other.worker.run())
        await eventually(has_moved)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        following = asyncio.create_task(rig.worker.run())
        await eventually(is_done)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    told = [event["timerange"] for event in await rig.told("flows/segments_deleted")]
    assert told == [f"[{at}:0_{at + 2}:0)" for at in range(0, MANY, 2)]
