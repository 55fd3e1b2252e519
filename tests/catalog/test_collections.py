"""Flows that collect flows, and what that says about their sources (COL)."""

import pytest

from tests.catalog.builders import Body, audio, flow_id, multi, source_id, video
from tests.catalog.conftest import House
from tests.conformance import rule


@pytest.fixture
async def collected(house: House) -> House:
    """Flow 5 collects the video 1 and the audio 2."""
    await house.client.put(f"/flows/{flow_id(1)}", video(1, 1), expect=201)
    await house.client.put(f"/flows/{flow_id(2)}", audio(2, 2), expect=201)
    await house.client.put(f"/flows/{flow_id(5)}", multi(5, 5, collects=(2, 1)), expect=201)
    return house


async def _flow(house: House, number: int) -> Body:
    body: Body = (await house.client.get(f"/flows/{flow_id(number)}")).json()
    return body


async def _source(house: House, number: int) -> Body:
    body: Body = (await house.client.get(f"/sources/{source_id(number)}")).json()
    return body


@rule("COL-1", "COL-2", "COL-6", "COL-14")
async def test_order_and_roles_are_kept_and_members_know_it(collected: House) -> None:
    """COL-1, COL-2, COL-6."""
    assert (await _flow(collected, 5))["flow_collection"] == [
        {"id": flow_id(2), "role": "role 2"},
        {"id": flow_id(1), "role": "role 1"},
    ]
    assert (await _flow(collected, 1))["collected_by"] == [flow_id(5)]
    assert (await _flow(collected, 2))["collected_by"] == [flow_id(5)]


@rule("COL-7", "SRC-7")
async def test_sources_mirror_the_collections_of_their_flows(collected: House) -> None:
    """COL-7, SRC-7."""
    assert (await _source(collected, 5))["source_collection"] == [
        {"id": source_id(2), "role": "role 2"},
        {"id": source_id(1), "role": "role 1"},
    ]
    assert (await _source(collected, 1))["collected_by"] == [source_id(5)]
    assert (await _source(collected, 5))["collected_by"] == []


@rule("EVT-15", "EVT-2", "EVT-3", "EVT-7")
async def test_both_ends_are_told(house: House) -> None:
    """EVT-15, EVT-16."""
    await house.client.put(f"/flows/{flow_id(1)}", video(1, 1), expect=201)
    await house.forget_events()
    await house.client.put(f"/flows/{flow_id(5)}", multi(5, 5, collects=(1,)), expect=201)
    events = {(told.type, told.key): told for told in await house.staged()}
    assert sorted(events) == [
        ("flows/created", flow_id(5)),
        ("flows/updated", flow_id(1)),
        ("sources/created", source_id(5)),
        ("sources/updated", source_id(1)),
    ]
    member = events["flows/updated", flow_id(1)]
    assert member.event == {"flow": await _flow(house, 1)}
    assert (member.collected_by, member.source_collected_by) == (flow_id(5), source_id(5))


@rule("COL-6")
async def test_being_collected_is_no_change_of_a_members_own_metadata(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(1)}", video(1, 1), expect=201)
    before = await _flow(house, 1)
    house.clock.advance(seconds=60)
    await house.client.put(f"/flows/{flow_id(5)}", multi(5, 5, collects=(1,)), expect=201)
    assert await _flow(house, 1) == {**before, "collected_by": [flow_id(5)]}


@rule("COL-3", "COL-4", "COL-5")
async def test_members_must_be_registered_and_others(house: House) -> None:
    """COL-3, COL-4, COL-5, T-10."""
    await house.client.put(f"/flows/{flow_id(1)}", video(1, 1), expect=201)
    answer = await house.client.put(f"/flows/{flow_id(5)}", multi(5, 5, collects=(1, 9)), expect=400)
    assert answer.json()["field"] == "$.flow_collection[1].id"
    await house.client.put(f"/flows/{flow_id(5)}", multi(5, 5, collects=(5,)), expect=400)
    by_source = multi(5, 5, flow_collection=[{"id": source_id(1)}])
    await house.client.put(f"/flows/{flow_id(5)}", by_source, expect=400)
    assert (await _flow(house, 1))["collected_by"] == []
    await house.client.get(f"/flows/{flow_id(5)}", expect=404)


@rule("COL-6", "COL-7", "EVT-15", "FLW-24")
async def test_a_changed_collection_tells_who_left_and_who_came(collected: House) -> None:
    await collected.client.put(f"/flows/{flow_id(3)}", video(3, 3), expect=201)
    await collected.forget_events()
    await collected.client.put(f"/flows/{flow_id(5)}", multi(5, 5, collects=(3, 2)))
    assert (await _flow(collected, 1))["collected_by"] == []
    assert (await _flow(collected, 3))["collected_by"] == [flow_id(5)]
    assert (await _source(collected, 1))["collected_by"] == []
    assert [item["id"] for item in (await _source(collected, 5))["source_collection"]] == [source_id(3), source_id(2)]
    assert await collected.told() == [
        ("flows/updated", flow_id(1)),
        ("flows/updated", flow_id(3)),
        ("flows/updated", flow_id(5)),
        ("sources/updated", source_id(1)),
        ("sources/updated", source_id(3)),
        ("sources/updated", source_id(5)),
    ]


@rule("FLW-16", "COL-6")
async def test_a_collection_left_out_is_gone(collected: House) -> None:
    """FLW-16."""
    await collected.client.put(f"/flows/{flow_id(5)}", {**multi(5, 5), "flow_collection": []})
    assert (await _flow(collected, 1))["collected_by"] == []
    assert "source_collection" not in await _source(collected, 5)


@rule("FLW-44")
async def test_a_deleted_member_leaves_every_collection(collected: House) -> None:
    """FLW-44, T-83."""
    version = (await _flow(collected, 5))["metadata_version"]
    await collected.forget_events()
    await collected.client.delete(f"/flows/{flow_id(1)}")
    collector = await _flow(collected, 5)
    assert collector["flow_collection"] == [{"id": flow_id(2), "role": "role 2"}]
    assert collector["metadata_version"] != version
    assert (await _source(collected, 5))["source_collection"] == [{"id": source_id(2), "role": "role 2"}]
    assert await collected.told() == [
        ("flows/deleted", flow_id(1)),
        ("flows/updated", flow_id(5)),
        ("sources/deleted", source_id(1)),
        ("sources/updated", source_id(5)),
    ]


@rule("FLW-44")
async def test_a_deleted_collector_frees_its_members(collected: House) -> None:
    """FLW-44."""
    await collected.client.delete(f"/flows/{flow_id(5)}")
    assert (await _flow(collected, 1))["collected_by"] == []
    assert (await _source(collected, 2))["collected_by"] == []
    await collected.client.get(f"/sources/{source_id(5)}", expect=404)


@rule("EVT-16")
async def test_the_deletion_of_a_member_says_who_collected_it(collected: House) -> None:
    """EVT-16."""
    await collected.forget_events()
    await collected.client.delete(f"/flows/{flow_id(1)}")
    gone = {told.type: told for told in await collected.staged()}
    assert gone["flows/deleted"].collected_by == flow_id(5)
    assert gone["flows/deleted"].source_collected_by == source_id(5)
    assert gone["sources/deleted"].source_collected_by == source_id(5)


@rule("FLW-39")
async def test_a_member_that_moves_takes_its_place_along(collected: House) -> None:
    """FLW-39."""
    await collected.client.put(f"/flows/{flow_id(1)}", video(1, 7))
    assert [item["id"] for item in (await _source(collected, 5))["source_collection"]] == [source_id(2), source_id(7)]
    assert (await _source(collected, 7))["collected_by"] == [source_id(5)]
    await collected.client.get(f"/sources/{source_id(1)}", expect=404)


@rule("COL-7", "COL-9", "SRC-7")
async def test_a_source_stays_collected_while_any_of_its_flows_is(collected: House) -> None:
    """COL-7, COL-9: a proxy in a collection of its own."""
    await collected.client.put(f"/flows/{flow_id(11)}", video(11, 1), expect=201)
    await collected.client.put(f"/flows/{flow_id(15)}", multi(15, 5, collects=(11,), role="role 1"), expect=201)
    await collected.client.delete(f"/flows/{flow_id(5)}")
    assert (await _source(collected, 1))["collected_by"] == [source_id(5)]
    assert (await _source(collected, 2))["collected_by"] == []
    assert (await _source(collected, 5))["source_collection"] == [{"id": source_id(1), "role": "role 1"}]


async def test_a_read_only_member_can_be_collected(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(1)}", video(1, 1, read_only=True), expect=201)
    await house.client.put(f"/flows/{flow_id(5)}", multi(5, 5, collects=(1,)), expect=201)
    assert (await _flow(house, 1))["collected_by"] == [flow_id(5)]


@rule("COL-5")
async def test_flows_may_collect_each_other(house: House) -> None:
    """COL-5: longer cycles are not addressed, and do no harm."""
    await house.client.put(f"/flows/{flow_id(1)}", multi(1, 1), expect=201)
    await house.client.put(f"/flows/{flow_id(2)}", multi(2, 2, collects=(1,)), expect=201)
    await house.client.put(f"/flows/{flow_id(1)}", multi(1, 1, collects=(2,)))
    assert (await _flow(house, 1))["collected_by"] == [flow_id(2)]
    await house.client.delete(f"/flows/{flow_id(1)}")
    assert (await _flow(house, 2))["collected_by"] == []
    assert (await _flow(house, 2))["flow_collection"] == []
