"""POST segments (SGP)."""

import gc
from types import TracebackType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tams_common.http.codec import encode_json
from tams_common.ids import FlowId, new_id
from tams_common.timerange import TimeRange
from tams_segments.making_way import Limits
from tams_segments.requests import read_segments
from tams_segments.writing import Order, Registrar
from tests.conformance import rule
from tests.segments.rig import FACTS, FLOW, OTHER_FLOW, SOURCE, Rig, names_of, object_id, seconds, segment

SEGMENTS = f"/flows/{FLOW}/segments"
A, B, C = object_id(1), object_id(2), object_id(3)


@rule("SEG-1", "SEG-4", "SEG-22", "SGP-1", "SGP-2", "TIME-19")
async def test_a_segment_is_read_as_it_was_written(rig: Rig) -> None:
    await rig.allocate(A)
    posted = segment(
        A,
        "[10:0_12:0)",
        ts_offset="10:0",
        last_duration="0:40000000",
        sample_offset=0,
        sample_count=50,
        key_frame_count=2,
    )
    answer = await rig.client.post(SEGMENTS, posted)
    assert answer.body == b""
    assert (await rig.client.get(f"{SEGMENTS}?accept_get_urls=")).json() == [posted]


@rule("SGP-1", "SGP-26", "EVT-5")
async def test_many_segments_are_one_request_and_one_event(rig: Rig) -> None:
    names = await rig.add(*seconds(0, 1, 2))
    assert await rig.timeranges() == seconds(0, 1, 2)
    (told,) = await rig.told("flows/segments_added")
    assert told["flow_id"] == FLOW
    assert names_of(told["segments"]) == names
    assert "get_urls" not in told["segments"][0]


@rule("EVT-5")
async def test_events_stay_small_and_keep_their_order(rig: Rig) -> None:
    await rig.add(*seconds(*range(1000)))
    events = await rig.events()
    assert len(events) > 1
    assert max(len(event.value) for event in events) <= 64 * 1024
    assert [event.at for event in events] == sorted({event.at for event in events})
    told = [item["timerange"] for event in await rig.told("flows/segments_added") for item in event["segments"]]
    assert told == seconds(*range(1000))


async def test_moments_of_a_flow_rise_though_the_clock_stands(rig: Rig) -> None:
    await rig.add("[0:0_1:0)")
    rig.clock.advance(seconds=-10)
    await rig.add("[1:0_2:0)")
    first, second = await rig.events()
    assert second.at > first.at


@rule("SGP-28", "EVT-18")
async def test_an_empty_array_is_nothing_to_do(rig: Rig) -> None:
    await rig.client.post(SEGMENTS, [])
    assert await rig.events() == []


@rule("SGP-10")
async def test_out_of_order_and_gaps_are_fine(rig: Rig) -> None:
    await rig.add(*seconds(8, 2))
    await rig.add(*seconds(5, 0))
    assert await rig.timeranges() == seconds(0, 2, 5, 8)


@rule("SGP-4", "SGP-8")
@pytest.mark.parametrize("timerange", ["[0:500000000_3:0)", "[1:0_2:0)", "[1:0]", "[-5:0_100:0)", "[-1:0_0:0]"])
async def test_an_overlap_is_refused_and_named(rig: Rig, timerange: str) -> None:
    await rig.add(*seconds(0, 1, 2))
    await rig.allocate(A)
    answer = await rig.client.post(SEGMENTS, segment(A, timerange), expect=400)
    assert "overlaps" in answer.json()["detail"]
    assert answer.json()["field"] == "$.timerange"
    assert await rig.timeranges() == seconds(0, 1, 2)
    await rig.client.get(f"/objects/{A}", expect=404)


@rule("SGP-3", "SGP-9")
async def test_of_two_items_that_overlap_the_first_wins(rig: Rig) -> None:
    await rig.allocate(A, B, C)
    items = [segment(A, "[0:0_2:0)"), segment(B, "[1:0_3:0)"), segment(C, "[2:0_3:0)")]
    answer = await rig.client.post(SEGMENTS, items, expect=200)
    (failed,) = answer.json()["failed_segments"]
    assert (failed["object_id"], failed["timerange"]) == (B, "[1:0_3:0)")
    assert failed["error"]["field"] == "$[1].timerange"
    assert {"type", "summary", "time"} <= failed["error"].keys()
    assert await rig.timeranges() == ["[0:0_2:0)", "[2:0_3:0)"]


@rule("SGP-3", "EVT-18")
async def test_when_all_items_fail_it_is_still_200_and_no_event(rig: Rig) -> None:
    answer = await rig.client.post(SEGMENTS, [segment("nowhere", "[0:0_1:0)")], expect=200)
    assert names_of(answer.json()["failed_segments"]) == ["nowhere"]
    assert await rig.events() == []


@rule("SGP-27")
async def test_a_refused_item_does_not_claim_its_object(rig: Rig) -> None:
    await rig.allocate(A)
    await rig.add("[0:0_1:0)")
    await rig.client.post(SEGMENTS, [segment(A, "[0:0_1:0)", key_frame_count=7)], expect=200)
    await rig.client.get(f"/objects/{A}", expect=404)
    await rig.client.post(SEGMENTS, segment(A, "[1:0_2:0)"))
    assert "key_frame_count" not in (await rig.client.get(f"/objects/{A}")).json()


@rule("SGP-4", "SGP-5", "SGP-7", "SGP-11", "SGP-15", "SGP-20")
@pytest.mark.parametrize(
    ("item", "field"),
    [
        (segment(A, "[0:0_"), "timerange"),
        (segment(A, "(0:0_1:0)"), "timerange"),
        (segment(A, "()"), "timerange"),
        (segment(A, "0:0_x"), "timerange"),
        (segment(A, "[0:0_99999999999:0)"), "timerange"),
        (segment(A, "[0:0_1:0)", ts_offset="1"), "ts_offset"),
        (segment(A, "[0:0_1:0)", ts_offset="-9223372036:0"), "ts_offset"),
        (segment(A, "[0:0_1:0)", last_duration="-0:1"), "last_duration"),
        (segment(A, "[0:0_1:0)", object_timerange="[5:0_6:0)"), "timerange"),
        (segment(A, "[0:0_1:0)", key_frame_count="1"), "key_frame_count"),
        (segment(A, "[0:0_1:0)", sample_count=2**64), "sample_count"),
        (segment(A, "[0:0_1:0)", init_object_id=B), "init_object_id"),
        (segment(A, "[0:0_1:0)", get_urls=[{"url": "u"}]), "get_urls[0].label"),
        ({"object_id": A}, "timerange"),
        ({"timerange": "[0:0_1:0)"}, "object_id"),
        (segment("", "[0:0_1:0)"), "object_id"),
        (segment("nowhere", "[0:0_1:0)"), "object_id"),
    ],
)
async def test_a_bad_segment_is_400_and_names_the_field(rig: Rig, item: dict[str, object], field: str) -> None:
    await rig.allocate(A)
    answer = await rig.client.post(SEGMENTS, item, expect=400)
    assert answer.json()["field"] == f"$.{field}"
    assert await rig.timeranges() == []


@rule("SGP-3")
async def test_bad_items_fail_beside_good_ones(rig: Rig) -> None:
    await rig.allocate(A, B)
    items = [segment(A, "[0:0_1:0)"), segment(B, "[1:0_2:0)", ts_offset=5), {"object_id": C}]
    answer = await rig.client.post(SEGMENTS, items, expect=200)
    first, second = answer.json()["failed_segments"]
    assert (first["object_id"], first["timerange"]) == (B, "[1:0_2:0)")
    assert first["error"]["field"] == "$[1].ts_offset"
    assert first["error"]["summary"] == "Expected `str`, got `int` at $[1].ts_offset"
    assert second["object_id"] == C
    assert second["error"]["summary"].endswith("at $[2].timerange")
    assert "timerange" not in second
    assert await rig.timeranges() == ["[0:0_1:0)"]


@rule("SGP-5", "GEN-13", "GEN-19")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"5",
        b'"x"',
        b"[5]",
        b"[NaN]",
        b"[" * 100_000,
        b'[{"timerange":"[0:0_1:0)"}]',
        b'[{"object_id":5,"timerange":"_"}]',
        b'{"object_id":"\xff","timerange":"_"}',
        b'[{"object_id":"\\ud800","timerange":"_"}]',
    ],
)
async def test_what_is_no_segment_at_all_is_400(rig: Rig, body: bytes) -> None:
    answer = await rig.client.send("POST", SEGMENTS, body=body, expect=400)
    assert answer.json()["field"].startswith("$")


@rule("SGP-6")
async def test_the_flow_decides_who_may_write(rig: Rig) -> None:
    item = segment(A, "[0:0_1:0)")
    await rig.allocate(A)
    await rig.client.post("/flows/not-a-uuid/segments", item, expect=404)
    await rig.client.post(f"/flows/{OTHER_FLOW}/segments", [item], expect=404)
    rig.catalog.put(FLOW, read_only=True)
    await rig.client.post(SEGMENTS, [item], expect=403)
    rig.catalog.put(FLOW, read_only=False, container=None)
    await rig.client.post(SEGMENTS, [item], expect=400)
    rig.catalog.put(FLOW, container="video/mp2t")
    await rig.client.post(SEGMENTS, [item])


async def test_catalog_is_asked_on_every_write_and_repeats_nothing(rig: Rig) -> None:
    await rig.add("[0:0_1:0)")
    await rig.add("[1:0_2:0)")
    assert rig.catalog.asked == [None, '"1"', '"1"', '"1"']
    rig.catalog.put(FLOW, read_only=True)
    await rig.client.post(SEGMENTS, segment(A, "[2:0_3:0)"), expect=403)


async def test_a_dense_flow_takes_scattered_items_into_its_gaps(rig: Rig) -> None:
    await rig.add(*seconds(*range(0, 2000, 2)))
    gaps = [1, 501, 503, 999, 1501, 1997, 2001, -3]
    names = [object_id(100 + number) for number in range(len(gaps) + 3)]
    await rig.allocate(*names)
    taken = ["[500:0_502:0)", "[-1:0_3000:0)", "[1998:0_1999:0)"]
    items = [segment(name, timerange) for name, timerange in zip(names, seconds(*gaps) + taken, strict=True)]
    answer = await rig.client.post(SEGMENTS, items, expect=200)
    assert [failed["timerange"] for failed in answer.json()["failed_segments"]] == taken
    assert len(await rig.timeranges("timerange=[-10:0_1000:0)")) == 500 + 5


@rule("EVT-16")
async def test_events_carry_what_filters_ask_for(rig: Rig) -> None:
    rig.catalog.put(FLOW, flow_collected_by=(OTHER_FLOW,), source_collected_by=(SOURCE,))
    await rig.add("[0:0_1:0)")
    await rig.client.delete(SEGMENTS)
    for row in await rig.events():
        assert (row.topic, row.key, row.flow_id, row.source_id) == ("tams.segments", FLOW, FLOW, SOURCE)
        assert (row.flow_collected_by, row.source_collected_by) == (OTHER_FLOW, SOURCE)
        assert row.incarnation == FACTS.incarnation


@pytest.mark.property
@settings(
    max_examples=max(30, settings().max_examples // 40), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(-3, 420), st.integers(0, 30)), min_size=1, max_size=6))
async def test_items_anywhere_in_a_dense_flow_are_decided_rightly(rig: Rig, wanted: list[tuple[int, int]]) -> None:
    flow_id, name = new_id(), new_id()
    rig.catalog.put(flow_id)
    await rig.allocate(name, flow_id=flow_id)
    path = f"/flows/{flow_id}/segments"
    dense = [TimeRange(start, start + 1) for start in range(0, 400, 2)]
    await rig.client.post(path, [segment(name, str(timerange), object_timerange="_") for timerange in dense])
    accepted = list(dense)
    for start, length in wanted:
        timerange = TimeRange(start, start + length, includes_end=length == 0)
        if not any(timerange.overlaps(other) for other in accepted):
            accepted.append(timerange)
    items = [segment(name, str(TimeRange(start, start + length, includes_end=length == 0))) for start, length in wanted]
    await rig.client.send("POST", path, body=encode_json(items))
    expected = sorted(accepted, key=lambda timerange: timerange.sort_key)
    assert await rig.timeranges(flow_id=flow_id) == list(map(str, expected))


async def test_thousands_that_are_refused_keep_no_traces_of_their_errors(rig: Rig) -> None:
    def traces() -> int:
        gc.collect()
        return sum(isinstance(each, TracebackType) for each in gc.get_objects())

    before = traces()
    items = [segment("nowhere", timerange) for timerange in seconds(*range(1000))]
    posted = read_segments(encode_json(items + [item | {"ts_offset": 1} for item in items]))
    registrar = Registrar(
        rig.store, clock=rig.clock, new_id=new_id, labels=frozenset(), limits=Limits(page=2048, batch=200)
    )
    failures = await registrar.register(Order(FlowId(FLOW), FACTS, posted.items))
    assert (len(failures), len(posted.malformed)) == (1000, 1000)
    assert traces() < before + 500
