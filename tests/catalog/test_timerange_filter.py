"""`GET /flows?timerange=`: by how far the events of segments say that flows reach (FLW-3 to FLW-5, T-41)."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tams_catalog import extents
from tams_catalog.entries import extent_keys, overlapping
from tams_common.events import Envelope
from tams_common.ids import EventId, FlowId, Incarnation, new_id
from tams_common.store.evaluation import meets
from tams_common.timerange import MAX_NS, MIN_NS, TimeRange
from tests.catalog.builders import Body, flow_id, video
from tests.catalog.conftest import House
from tests.conformance import rule

REACH = {1: "[0:0_10:0)", 2: "[10:0_20:0)", 3: "(20:0_30:0]", 4: "()", 6: "[-5:0]"}
MOMENTS = st.sampled_from([MIN_NS, -1, 0, 1, 2, 1_000_000_000, MAX_NS])
RANGES = st.builds(
    TimeRange, st.none() | MOMENTS, st.none() | MOMENTS, includes_start=st.booleans(), includes_end=st.booleans()
)


async def _reach(house: House, number: int, *, timerange: str) -> None:
    """What an event of the flow's segments does, as segments sends it."""
    facts: Body = (await house.client.get(f"/internal/flows/{flow_id(number)}/facts")).json()
    envelope = Envelope(
        id=EventId(new_id()),
        topic="tams.segments",
        key=flow_id(number),
        at=house.clock(),
        type="flows/segments_added",
        value=b"{}",
        flow_id=FlowId(flow_id(number)),
        incarnation=Incarnation(facts["incarnation"]),
        extent=timerange,
    )
    await house.store.run(lambda tx: extents.apply(tx, envelope))


@pytest.fixture
async def reaching(house: House) -> House:
    """Flows that reach so far; number 4 has lost its segments, number 5 never had any."""
    for number in (*REACH, 5):
        await house.client.put(f"/flows/{flow_id(number)}", video(number, 1, label=str(number % 2)), expect=201)
    for number, timerange in REACH.items():
        await _reach(house, number, timerange=timerange)
    return house


async def _found(house: House, timerange: str, *, more: str = "") -> str:
    flows = (await house.client.get(f"/flows?timerange={quote(timerange, safe='')}{more}")).json()
    return "".join(sorted(flow["id"][-1] for flow in flows))


@rule("FLW-3", "FLW-4", "FLW-5", "TIME-16", "TIME-17")
@pytest.mark.parametrize(
    ("timerange", "numbers"),
    [
        ("_", "123456"),
        ("()", "45"),
        ("", "45"),
        ("[3:0_4:0)", "1"),
        ("[9:0_11:0)", "12"),
        ("[10:0]", "2"),
        ("[10:0_", "23"),
        ("_10:0)", "16"),
        ("_10:0]", "126"),
        ("(20:0_21:0)", "3"),
        ("[20:0]", ""),
        ("[30:0]", "3"),
        ("(30:0_", ""),
        ("[-5:0]", "6"),
        ("(-5:0_0:0)", ""),
        ("(-5:0_0:0]", "1"),
        ("[100:0_200:0)", ""),
        ("[-9223372036:0_9223372036:0]", "1236"),
    ],
)
async def test_flows_that_overlap(reaching: House, timerange: str, numbers: str) -> None:
    assert await _found(reaching, timerange) == numbers
    assert await _found(reaching, timerange, more="&sort_by=label") == numbers


@rule("FLW-3", "GEN-14", "PAG-17")
async def test_it_is_one_filter_among_others(reaching: House) -> None:
    assert await _found(reaching, "_", more="&label=1") == "135"
    assert await _found(reaching, "[0:0_25:0)", more="&label=1") == "13"
    assert await _found(reaching, "()", more="&label=0") == "4"
    page = await reaching.client.get("/flows?timerange=%5B0:0_&limit=2")
    assert len(page.json()) == 2
    assert "link" in page.headers


@rule("FLW-21", "FLW-3")
async def test_events_of_segments_move_nothing_else(reaching: House) -> None:
    path = f"/flows/{flow_id(5)}"
    before = (await reaching.client.get(path)).json()
    facts = (await reaching.client.get(f"/internal{path}/facts")).json()
    reaching.clock.advance(seconds=60)
    await _reach(reaching, 5, timerange="[0:0_1:0)")
    after = (await reaching.client.get(path)).json()
    assert after == before | {"segments_updated": after["segments_updated"]}
    assert (await reaching.client.get(f"/internal{path}/facts")).json() == facts
    await reaching.client.put(f"{path}/label", "new")
    assert await _found(reaching, "[0:0_1:0)") == "15"
    assert (await reaching.client.get(path)).json()["segments_updated"] == after["segments_updated"]


@rule("FLW-4")
async def test_a_flow_made_anew_is_empty(reaching: House) -> None:
    await reaching.client.delete(f"/flows/{flow_id(1)}")
    assert await _found(reaching, "()") == "45"
    await reaching.client.put(f"/flows/{flow_id(1)}", video(1, 1), expect=201)
    assert await _found(reaching, "()") == "145"


@pytest.mark.property
@given(RANGES, RANGES)
def test_bounds_as_text_overlap_as_timeranges_do(extent: TimeRange, within: TimeRange) -> None:
    class Entry:
        extent_start, extent_end = extent_keys(extent)

    found = meets(Entry(), overlapping(within))
    if within.is_eternity:
        assert found
    elif within.is_empty:
        assert found is extent.is_empty
    else:
        assert found is extent.overlaps(within)
