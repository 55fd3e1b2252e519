"""New segments in the place of hidden ones: who applies the events in order has what is stored (EVT-6, ADR 0007)."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tams_common.store import Query, Tx
from tams_segments.config import SegmentsConfig
from tams_segments.tables import HEADS, SEGMENTS
from tests.conformance import rule
from tests.segments.rig import FLOW, OTHER_FLOW, Rig, running, seconds

T = TypeVar("T")

PATH = f"/flows/{FLOW}/segments"


async def stored(rig: Rig) -> int:
    """How many segments of the flow are stored, seen or not, by the rows and by the head."""
    rows = await rig.store.read(lambda tx: tx.select(SEGMENTS, ("flow_id",), query=Query()))
    head = await rig.store.read(lambda tx: tx.get(HEADS, (FLOW,)))
    assert head is not None
    found = sum(flow_id == FLOW for (flow_id,) in rows.rows)
    assert head.count == found
    return found


@rule("EVT-6", "SGP-8")
async def test_more_than_one_look_of_hidden_segments_in_the_way(tmp_path: Path) -> None:
    config = SegmentsConfig(delete_budget=0, delete_batch=20, register_page=64)
    async with running(tmp_path, config=config) as rig:
        rig.catalog.put(FLOW)
        await rig.add(*seconds(*range(600)))
        await rig.client.delete(f"{PATH}?timerange=[10:0_", expect=202)
        spread = [f"[{at}:500000000_{at}:600000000)" for at in range(100, 600, 7)]
        await rig.add(*spread)
        seen = await rig.timeranges()
        assert seen == [*seconds(*range(10)), *spread]
        assert await rig.replayed() == sorted([*seen, *seconds(*hidden(spread))])
        while await rig.worker.sweep():
            assert set(seen) <= set(await rig.replayed())
        assert await rig.timeranges() == seen
        assert await rig.replayed() == sorted(seen)
        assert await stored(rig) == len(seen)


def hidden(spread: list[str]) -> list[int]:
    """The seconds from 30 on that nothing of `spread` has displaced: DELETE has removed 20 before its answer."""
    displaced = {int(timerange[1:].partition(":")[0]) for timerange in spread}
    return [at for at in range(30, 600) if at not in displaced]


@rule("EVT-6", "SGP-8")
async def test_one_segment_displaces_thousands(tmp_path: Path) -> None:
    config = SegmentsConfig(delete_budget=0, delete_batch=200)
    async with running(tmp_path, config=config) as rig:
        rig.catalog.put(FLOW)
        for start in range(0, 3000, 1000):
            await rig.add(*seconds(*range(start, start + 1000)))
        await rig.client.delete(f"{PATH}?timerange=[10:0_", expect=202)
        await rig.add("[300:500000000_2900:0)", "[299:0_300:0)")
        seen = [*seconds(*range(10)), "[299:0_300:0)", "[300:500000000_2900:0)"]
        assert await rig.timeranges() == seen
        assert set(seen) <= set(await rig.replayed())
        assert await stored(rig) == len(seen) + 299 - 210 + 100
        while await rig.worker.sweep():
            pass
        assert await rig.replayed() == sorted(seen)
        assert await stored(rig) == len(seen)


@rule("SGP-8")
async def test_a_flow_is_written_while_another_one_is_being_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes long is done in many transactions, with room for others between them (ADR 0003)."""
    async with running(tmp_path, config=SegmentsConfig(delete_budget=0, delete_batch=2)) as rig:
        rig.catalog.put(FLOW)
        rig.catalog.put(OTHER_FLOW)
        await rig.add(*seconds(*range(100)))
        await rig.client.delete(PATH, expect=202)
        run, cleared = rig.store.run, asyncio.Event()

        async def told(fn: Callable[[Tx], T]) -> T:
            outcome = await run(fn)
            if outcome is None:
                cleared.set()
            return outcome

        monkeypatch.setattr(rig.store, "run", told)
        clearing = asyncio.create_task(rig.add("[0:0_100:0)"))
        await cleared.wait()
        await rig.add(*seconds(0), flow_id=OTHER_FLOW)
        assert not clearing.done()
        assert await rig.timeranges(flow_id=OTHER_FLOW) == seconds(0)
        await clearing
        assert await rig.timeranges() == ["[0:0_100:0)"]
