"""DELETE segments, and the deletion of a flow's segments that catalog asks for (SGD, EVT-6, ADR 0007)."""

from collections.abc import AsyncIterator

import pytest

from tams_common.ids import FlowId, Incarnation
from tams_common.timerange import ETERNITY
from tams_segments.deletion_requests import Tools
from tams_segments.ranges import RangeDeletion, remove_range
from tams_segments.tables import HEADS, Head
from tests.conformance import rule
from tests.segments.rig import FACTS, FLOW, OTHER_FLOW, Rig, object_id, seconds, segment

SEGMENTS = f"/flows/{FLOW}/segments"
DELETION = f"/internal/flows/{FLOW}/deletion"
EXTENT = f"/internal/flows/{FLOW}/extent"


async def head(rig: Rig) -> Head | None:
    return await rig.store.read(lambda tx: tx.get(HEADS, (FLOW,)))


async def extent(rig: Rig, timerange: str = "_") -> str:
    return str((await rig.client.get(f"{EXTENT}?timerange={timerange}")).json()["timerange"])


@rule("SGD-1", "SGD-4", "SGD-7", "SGD-8", "EVT-6")
@pytest.mark.parametrize(
    ("timerange", "left", "told"),
    [
        ("_", [], ["[0:0_4:0)"]),
        ("[1:0_3:0)", seconds(0, 3), ["[1:0_3:0)"]),
        ("[0:5_3:5)", seconds(0, 3), ["[1:0_3:0)"]),
        ("(1:0_3:0]", seconds(0, 1, 3), ["[2:0_3:0)"]),
        ("_2:0)", seconds(2, 3), ["[0:0_2:0)"]),
        ("[3:0_", seconds(0, 1, 2), ["[3:0_4:0)"]),
        ("[1:0_1:5)", seconds(0, 1, 2, 3), []),
        ("()", seconds(0, 1, 2, 3), []),
        ("[9:0_", seconds(0, 1, 2, 3), []),
    ],
)
async def test_only_segments_that_are_covered_go(rig: Rig, timerange: str, left: list[str], told: list[str]) -> None:
    await rig.add(*seconds(0, 1, 2, 3))
    await rig.client.delete(f"{SEGMENTS}?timerange={timerange}")
    assert await rig.timeranges() == left
    assert await rig.told("flows/segments_deleted") == [{"flow_id": FLOW, "timerange": text} for text in told]


@rule("SGD-1", "TIME-16")
async def test_an_inclusive_end_must_be_covered_too(rig: Rig) -> None:
    await rig.add("[0:0_1:0]")
    await rig.client.delete(f"{SEGMENTS}?timerange=[0:0_1:0)")
    assert await rig.timeranges() == ["[0:0_1:0]"]
    await rig.client.delete(f"{SEGMENTS}?timerange=[0:0_1:0]")
    assert await rig.timeranges() == []


@rule("SGD-2", "EVT-6")
async def test_gaps_do_not_make_more_events_but_what_stays_does(rig: Rig) -> None:
    (name,) = await rig.add("[0:0_10:0)")
    for at in (20, 21, 40):
        await rig.client.post(SEGMENTS, segment(name, f"[{at}:0_{at + 1}:0)", ts_offset=f"{at}:0"))
    await rig.add("[30:0_31:0)")
    await rig.client.delete(f"{SEGMENTS}?object_id={name}")
    assert await rig.timeranges() == ["[30:0_31:0)"]
    told = [event["timerange"] for event in await rig.told("flows/segments_deleted")]
    assert told == ["[0:0_10:0)", "[20:0_22:0)", "[40:0_41:0)"]


@rule("EVT-6")
async def test_large_ranges_go_in_batches_that_each_tell_of_themselves(rig: Rig) -> None:
    await rig.add(*seconds(*range(200)))
    await rig.add(*seconds(*range(2000, 2200)), "[5000:0]")
    await rig.client.delete(f"{SEGMENTS}?timerange=[1:0_")
    assert await rig.timeranges() == seconds(0)
    told = [event["timerange"] for event in await rig.told("flows/segments_deleted")]
    assert told == ["[1:0_2001:0)", "[2001:0_5000:0]"]
    assert await extent(rig) == "[0:0_1:0)"


async def test_the_extent_follows(rig: Rig) -> None:
    assert await extent(rig) == "()"
    await rig.add(*seconds(5, 6, 8), "[9:0]")
    assert await extent(rig) == "[5:0_9:0]"
    assert await extent(rig, "[6:5_8:5)") == "[6:0_9:0)"
    assert await extent(rig, "[7:0_8:0)") == "()"
    assert await extent(rig, "[0:0_5:0]") == "[5:0_6:0)"
    await rig.client.delete(f"{SEGMENTS}?timerange=[9:0]")
    assert await extent(rig) == "[5:0_9:0)"
    await rig.client.delete(f"{SEGMENTS}?timerange=_6:0)")
    assert await extent(rig) == "[6:0_9:0)"
    await rig.client.delete(SEGMENTS)
    assert await extent(rig) == "()"
    kept = await head(rig)
    assert kept is not None
    assert (kept.count, kept.version) == (0, 4)


@rule("SGD-5")
async def test_the_flow_decides_who_may_delete(rig: Rig) -> None:
    await rig.add(*seconds(0))
    await rig.client.delete("/flows/x/segments", expect=404)
    await rig.client.delete(f"/flows/{OTHER_FLOW}/segments", expect=404)
    await rig.client.delete(f"{SEGMENTS}?timerange=x", expect=400)
    rig.catalog.put(FLOW, read_only=True)
    await rig.client.delete(SEGMENTS, expect=403)
    assert await rig.timeranges() == seconds(0)


async def test_what_comes_while_a_deletion_goes_on_stays(rig: Rig) -> None:
    await rig.add(*seconds(*range(5)))
    tools = Tools(rig.clock, rig.parts.new_id, batch=3, lifetime=1)
    job = RangeDeletion(flow_id=FlowId(FLOW), facts=FACTS, timerange=ETERNITY, up_to=1)
    first = await rig.store.run(lambda tx: remove_range(tx, job, after=None, tools=tools))
    await rig.add("[10:0_11:0)")
    second = await rig.store.run(lambda tx: remove_range(tx, job, after=first.reached, tools=tools))
    assert (first.removed, second.removed, second.is_last) == (3, 2, True)
    assert await rig.timeranges() == ["[10:0_11:0)"]


@rule("SGD-6", "TMO-1", "TMO-2", "OBJ-13")
async def test_bytes_of_the_last_reference_are_removed(rig: Rig) -> None:
    rig.catalog.put(OTHER_FLOW)
    (name,) = await rig.add(*seconds(0))
    url = (await rig.client.get(f"/objects/{name}")).json()["get_urls"][0]["url"]
    await rig.client.post(f"/flows/{OTHER_FLOW}/segments", segment(name, "[0:0_1:0)"))
    await rig.client.delete(SEGMENTS)
    assert (await rig.client.get(f"/objects/{name}")).json()["referenced_by_flows"] == [OTHER_FLOW]
    key = url.partition("/media/")[2].partition("?")[0]
    await rig.objects.put(key, _bytes(b"media"), headers={})
    await rig.client.delete(f"/flows/{OTHER_FLOW}/segments")
    await rig.client.get(f"/objects/{name}", expect=404)
    assert await rig.objects.head(key) is not None
    await rig.collector.sweep()
    assert await rig.objects.head(key) is None


async def test_a_deleted_flow_is_fenced_until_it_is_made_anew(rig: Rig) -> None:
    names = await rig.add(*seconds(0, 1, 2))
    deletion = {"incarnation": FACTS.incarnation}
    await rig.client.put(DELETION, deletion, expect=204)
    await rig.client.put(DELETION, deletion, expect=204)
    assert await rig.timeranges() == []
    assert await rig.told("flows/segments_deleted") == []
    await rig.client.get(f"/objects/{names[0]}", expect=404)
    await rig.allocate(object_id(1))
    await rig.client.post(SEGMENTS, segment(object_id(1), "[0:0_1:0)"), expect=404)
    rig.catalog.put(FLOW, incarnation=Incarnation("second"))
    await rig.client.post(SEGMENTS, segment(object_id(1), "[0:0_1:0)"))
    await rig.client.put(DELETION, deletion, expect=204)
    assert await rig.timeranges() == ["[0:0_1:0)"]
    rig.catalog.put(FLOW, incarnation=Incarnation("first"))
    await rig.allocate(object_id(2))
    await rig.client.post(SEGMENTS, segment(object_id(2), "[1:0_2:0)"), expect=404)


async def test_a_flow_that_never_had_a_segment_is_fenced_too(rig: Rig) -> None:
    await rig.allocate(object_id(1))
    await rig.client.put(DELETION, {"incarnation": FACTS.incarnation}, expect=204)
    await rig.client.post(SEGMENTS, segment(object_id(1), "[0:0_1:0)"), expect=404)
    rig.clock.advance(seconds=3601)
    await rig.collector.sweep()
    assert await head(rig) is None


async def test_a_bad_deletion_is_refused(rig: Rig) -> None:
    await rig.client.put(DELETION, {}, expect=400)
    await rig.client.put("/internal/flows/x/deletion", {"incarnation": "a"}, expect=404)


async def _bytes(data: bytes) -> AsyncIterator[bytes]:
    yield data
