"""Writers that race: one head per flow decides, whoever comes from wherever (ADR 0003)."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pytest

from tams_common.http.codec import encode_json
from tams_common.store import Tx
from tams_common.timerange import TimeRange
from tests.conformance import rule
from tests.segments.rig import FLOW, OTHER_FLOW, Catalog, Rig, object_id, running, seconds, segment
from tests.stores import VAST

T = TypeVar("T")

SEGMENTS = f"/flows/{FLOW}/segments"


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[tuple[Rig, Rig]]:
    """Two replicas of the service on the same files."""
    catalog = Catalog()
    catalog.put(FLOW)
    async with AsyncExitStack() as stack:
        made = [
            await stack.enter_async_context(running(tmp_path / "media", directory=tmp_path, catalog=catalog))
            for _ in range(2)
        ]
        yield made[0], made[1]


@rule("SGP-8")
async def test_two_writers_never_overlap_and_lose_nothing(two: tuple[Rig, Rig]) -> None:
    names = [object_id(number) for number in range(120)]
    await two[0].allocate(*names)
    # Every third second is wanted by both writers, and every fifth item reaches into the next second.
    wanted = [
        (name, f"[{at}:0_{at + 1}:{500_000_000 if at % 5 == 0 else 0})")
        for at, name in ((number - number // 3, name) for number, name in enumerate(names))
    ]

    async def write(rig: Rig, items: list[tuple[str, str]]) -> list[str]:
        answers = await asyncio.gather(
            *(rig.client.send("POST", SEGMENTS, body=encode_json(segment(*item))) for item in items)
        )
        assert {answer.status for answer in answers} <= {201, 400}
        return [item[1] for item, answer in zip(items, answers, strict=True) if answer.status == 201]

    accepted = await asyncio.gather(write(two[0], wanted[::2]), write(two[1], wanted[1::2]))
    stored = [TimeRange.parse(text) for text in await two[1].timeranges()]
    assert sorted(accepted[0] + accepted[1]) == sorted(map(str, stored))
    assert not any(first.overlaps(second) for first, second in pairwise(stored))
    refused = [text for _, text in wanted if text not in {str(timerange) for timerange in stored}]
    assert all(any(timerange.overlaps(TimeRange.parse(text)) for timerange in stored) for text in refused)
    told = [item["timerange"] for event in await two[0].told("flows/segments_added") for item in event["segments"]]
    assert sorted(told) == sorted(map(str, stored))


async def test_the_first_segment_of_a_flow_is_raced_for_as_well(two: tuple[Rig, Rig]) -> None:
    await two[0].allocate(object_id(1), object_id(2))
    answers = await asyncio.gather(
        *(
            rig.client.send("POST", SEGMENTS, body=encode_json(segment(object_id(number), "[0:0_1:0)")))
            for number, rig in enumerate(two, 1)
        )
    )
    assert sorted(answer.status for answer in answers) == [201, 400]


@pytest.mark.skipif(not VAST, reason="SQLite has one writer for a file")
@rule("SGP-8")
async def test_different_flows_do_not_wait_for_each_other(
    two: tuple[Rig, Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One replica is held up with the head of a flow read, and comes too late: the other one writes both flows."""
    two[0].catalog.put(OTHER_FLOW)
    await two[0].add(*seconds(0))
    await two[0].allocate(object_id(1))
    loop, run = asyncio.get_running_loop(), two[0].store.run
    held, go_on, runs = asyncio.Event(), threading.Event(), list[None]()

    async def hold(fn: Callable[[Tx], T]) -> T:
        def held_up(tx: Tx) -> T:
            outcome = fn(tx)
            runs.append(None)
            if len(runs) == 1:
                loop.call_soon_threadsafe(held.set)
                go_on.wait()
            return outcome

        return await run(held_up)

    monkeypatch.setattr(two[0].store, "run", hold)
    late = asyncio.create_task(two[0].client.post(SEGMENTS, segment(object_id(1), "[1:0_3:0)"), expect=400))
    try:
        await held.wait()
        await two[1].add(*seconds(1), flow_id=OTHER_FLOW)
        await two[1].add(*seconds(2))
        assert not late.done()
    finally:
        go_on.set()
    assert "overlaps" in (await late).json()["detail"]
    assert len(runs) > 1
    assert await two[0].timeranges() == seconds(0, 2)
    assert await two[0].timeranges(flow_id=OTHER_FLOW) == seconds(1)


@rule("SGP-8")
async def test_of_two_flows_that_share_a_commit_the_refused_one_takes_nothing_from_the_other(
    two: tuple[Rig, Rig],
) -> None:
    two[0].catalog.put(OTHER_FLOW)
    flows = [FLOW, OTHER_FLOW] * 10
    names = [object_id(number) for number in range(len(flows))]
    await two[0].add(*seconds(*range(10)))
    await two[0].allocate(*names[::2])
    await two[0].allocate(*names[1::2], flow_id=OTHER_FLOW)
    answers = await asyncio.gather(
        *(
            two[0].client.send(
                "POST", f"/flows/{flow_id}/segments", body=encode_json(segment(name, seconds(number // 2)[0]))
            )
            for number, (flow_id, name) in enumerate(zip(flows, names, strict=True))
        )
    )
    assert [answer.status for answer in answers] == [400, 201] * 10
    assert await two[1].timeranges(flow_id=OTHER_FLOW) == seconds(*range(10))


@rule("TMO-1")
async def test_one_object_registered_twice_at_once_counts_both(two: tuple[Rig, Rig]) -> None:
    await two[0].allocate(object_id(1))
    items = [segment(object_id(1), timerange, object_timerange="[0:0_9:0)") for timerange in seconds(0, 1)]
    await asyncio.gather(*(rig.client.post(SEGMENTS, item) for rig, item in zip(two, items, strict=True)))
    await two[0].client.delete(f"{SEGMENTS}?timerange=[0:0_1:0)")
    await two[1].client.get(f"/objects/{object_id(1)}")
    await two[1].client.delete(SEGMENTS)
    await two[0].client.get(f"/objects/{object_id(1)}", expect=404)


@rule("TMO-6")
async def test_registration_and_collection_of_one_object_do_not_both_win(two: tuple[Rig, Rig]) -> None:
    names = [object_id(number) for number in range(40)]
    await two[0].allocate(*names)
    for rig in two:
        rig.clock.advance(seconds=600)
    sweep = asyncio.create_task(two[0].collector.sweep())
    answers = await asyncio.gather(
        *(
            two[1].client.send("POST", SEGMENTS, body=encode_json(segment(name, timerange)))
            for name, timerange in zip(names, seconds(*range(40)), strict=True)
        )
    )
    await sweep
    for name, answer in zip(names, answers, strict=True):
        assert answer.status in (201, 400)
        await two[0].client.get(f"/objects/{name}", expect=200 if answer.status == 201 else 404)
