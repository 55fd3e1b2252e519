"""What catalog learns from the events of segments: how far flows reach, and when that changed (FLW-21)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tams_catalog.entries import extent_keys
from tams_catalog.tables import FLOW_INDEX, FlowEntry
from tams_common import events
from tams_common.bus.cloudevents import to_message
from tams_common.clock import SECOND, date_time
from tams_common.events import Draft, Subject
from tams_common.ids import EventId, FlowId, Incarnation, new_id
from tams_common.inbox import INBOX
from tams_common.store import Query
from tams_common.timerange import TimeRange
from tests.catalog.builders import Body, flow_id, video
from tests.catalog.conftest import House
from tests.common.eventually import eventually
from tests.conformance import rule

FLOW = FlowId(flow_id(1))
AT = 1_800_000_000 * SECOND


@pytest.fixture
async def listening(house: House) -> AsyncIterator[House]:
    """A catalog with one flow, whose subscription runs."""
    await house.client.put(f"/flows/{FLOW}", video(), expect=201)
    task = asyncio.create_task(house.built.behaviours[1].run())
    yield house
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _incarnation(house: House) -> Incarnation:
    facts = (await house.client.get(f"/internal/flows/{FLOW}/facts")).json()
    return Incarnation(facts["incarnation"])


def _added(incarnation: Incarnation, extent: str) -> Draft:
    subject = Subject(flow_id=FLOW, incarnation=incarnation, extent=extent)
    (draft,) = events.segments_added([b'{"object_id":"o","timerange":"[0:0_1:0)"}'], subject)
    return draft


def _deleted(incarnation: Incarnation, *, extent: str) -> Draft:
    return events.segments_deleted("[0:0_1:0)", Subject(flow_id=FLOW, incarnation=incarnation, extent=extent))


async def _publish(house: House, *drafts: Draft, at: int = AT) -> None:
    sealed = [draft.seal(id=EventId(new_id()), at=at + place * SECOND) for place, draft in enumerate(drafts)]
    assert not await house.bus.publish([to_message(envelope) for envelope in sealed])


async def _reaches(house: House, timerange: str) -> FlowEntry:
    async def check() -> FlowEntry:
        entry = await house.store.read(lambda reader: reader.get(FLOW_INDEX, (FLOW,)))
        assert entry is not None
        assert (entry.extent_start, entry.extent_end) == extent_keys(TimeRange.parse(timerange))
        return entry

    return await eventually(check)


@rule("FLW-21", "EVT-15", "RET-5")
async def test_added_segments_extend_a_flow_and_move_its_segments_updated(listening: House) -> None:
    before = (await listening.client.get(f"/flows/{FLOW}")).json()
    facts = (await listening.client.get(f"/internal/flows/{FLOW}/facts")).json()
    incarnation = Incarnation(facts["incarnation"])
    await _publish(listening, _added(incarnation, "[10:0_20:0)"), _added(incarnation, "[-5:0_20:0)"))
    await _reaches(listening, "[-5:0_20:0)")

    after = {**before, "segments_updated": date_time(AT + SECOND)}

    async def updated() -> Body:
        flow: Body = (await listening.client.get(f"/flows/{FLOW}")).json()
        assert flow == after
        return flow

    shown: Body = await eventually(updated)
    assert (await listening.client.get("/flows")).json() == [shown]
    assert (await listening.client.get(f"/internal/flows/{FLOW}/facts")).json() == facts


@rule("EVT-3", "FLW-21")
async def test_a_later_change_of_the_flow_is_told_with_segments_updated(listening: House) -> None:
    """EVT-3: the event shows the flow as GET does."""
    await _publish(listening, _added(await _incarnation(listening), "[0:0_1:0)"))
    await _reaches(listening, "[0:0_1:0)")
    await listening.forget_events()
    await listening.client.put(f"/flows/{FLOW}", video(label="new"))
    (told,) = await listening.staged()
    assert told.event == {"flow": (await listening.client.get(f"/flows/{FLOW}")).json()}


@rule("FLW-21")
async def test_deleted_segments_shorten_a_flow(listening: House) -> None:
    incarnation = await _incarnation(listening)
    await _publish(listening, _added(incarnation, "[0:0_30:0)"), _deleted(incarnation, extent="[0:0_20:0)"))
    await _reaches(listening, "[0:0_20:0)")
    await _publish(listening, _deleted(incarnation, extent="()"), at=AT + 2 * SECOND)
    await _reaches(listening, "()")


async def test_what_comes_late_does_not_move_a_flow_back(listening: House) -> None:
    incarnation = await _incarnation(listening)
    await _publish(listening, _added(incarnation, "[0:0_30:0)"), at=AT + SECOND)
    await _reaches(listening, "[0:0_30:0)")
    await _publish(listening, _added(incarnation, "[0:0_10:0)"))

    async def both_were_heard() -> bool:
        return len(await listening.store.read(lambda reader: reader.scan(INBOX, Query()).rows)) == 2

    await eventually(both_were_heard)
    assert (await _reaches(listening, "[0:0_30:0)")).segments_updated == AT + SECOND


async def test_events_of_an_older_incarnation_or_another_flow_are_ignored(listening: House) -> None:
    incarnation = await _incarnation(listening)
    stranger = events.segments_deleted(
        "[0:0_1:0)", Subject(flow_id=FlowId(flow_id(9)), incarnation=incarnation, extent="()")
    )
    await _publish(
        listening,
        _added(Incarnation("older"), "[100:0_200:0)"),
        stranger,
        _added(incarnation, "[0:0_1:0)"),
    )
    await _reaches(listening, "[0:0_1:0)")
    assert await listening.store.read(lambda reader: reader.get(FLOW_INDEX, (flow_id(9),))) is None


async def test_a_flow_made_anew_begins_empty(listening: House) -> None:
    await _publish(listening, _added(await _incarnation(listening), "[0:0_10:0)"))
    await _reaches(listening, "[0:0_10:0)")
    await listening.client.delete(f"/flows/{FLOW}")
    await listening.client.put(f"/flows/{FLOW}", video(), expect=201)
    assert "segments_updated" not in (await listening.client.get(f"/flows/{FLOW}")).json()
    await _publish(listening, _added(await _incarnation(listening), "[50:0_60:0)"))
    await _reaches(listening, "[50:0_60:0)")
