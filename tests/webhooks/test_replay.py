"""Replays: events once more, with the same ids, in order, beside new ones."""

import pytest
from msgspec.structs import replace

from tams_common.clock import SECOND
from tams_common.events import timestamp
from tams_common.ids import FlowId, new_id
from tams_webhooks.pruning import Pruning
from tests.common.eventually import eventually
from tests.webhooks.receiver import Reply
from tests.webhooks.replays import done, replay, replays
from tests.webhooks.rig import CONFIG, FLOW, OTHER_FLOW, Rig, flow_event, running
from tests.webhooks.words import assert_ids_in_order, attempted, on_many_flows, parked, reached

ONE_TRY = replace(CONFIG, delays="")


async def test_one_event() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        events = [flow_event(at=n + 1) for n in range(3)]
        await rig.append(*events)
        await eventually(attempted(rig, webhook, count=3))
        asked = await replay(rig, webhook, event_id=events[1].id)
        assert (asked["done"], asked["sent"]) == (False, 0)
        await eventually(done(rig, webhook, sent=1))
        assert endpoint.ids == [*(event.id for event in events), events[1].id]
        assert endpoint.accepted[-1].body == events[1].value
        again = (await rig.attempts(webhook))[-1]
        assert (again.replay_id, again.outcome, again.number) == (asked["id"], "delivered", 2)


async def test_a_range_of_time_in_order_beside_new_events() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        events = on_many_flows(300, flows=10)
        for start in range(0, 300, 100):
            await rig.append(*events[start : start + 100])
            rig.clock.advance(seconds=10)
        await eventually(lambda: len(endpoint.accepted) == 300)
        endpoint.accepted.clear()
        begin = rig.clock() - 20 * SECOND
        await replay(rig, webhook, since=timestamp(begin), until=timestamp(begin + 10 * SECOND))
        new = [flow_event(FlowId(events[0].key), at=10**6 + n) for n in range(50)]
        await rig.append(*new)
        await eventually(done(rig, webhook, sent=100))
        await eventually(lambda: len(endpoint.accepted) == 150)
        fresh = {event.id for event in new}
        assert_ids_in_order([id for id in endpoint.ids if id in fresh], new)
        assert_ids_in_order([id for id in endpoint.ids if id not in fresh], events[100:200])


async def test_what_has_failed() -> None:
    async with running(ONE_TRY) as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        events = on_many_flows(200, flows=10)
        unlucky = events[::3]
        ids = {event.id for event in unlucky}
        endpoint.answer_by(lambda request: Reply(500 if request.id in ids else 204))
        await rig.append(*events)
        await eventually(attempted(rig, webhook, count=200))
        await rig.client.post(f"/service/webhooks/{webhook}/deliveries/test", expect=200)
        endpoint.accepted.clear()
        endpoint.answer(204)
        await replay(rig, webhook, failed=True)
        await eventually(done(rig, webhook, sent=len(unlucky)))
        assert_ids_in_order(endpoint.ids, unlucky)
        assert len(endpoint.ids) == len(unlucky)


async def test_an_event_that_fails_holds_its_replay_up_and_nothing_else() -> None:
    async with running(replace(CONFIG, delays="60,60")) as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        events = [flow_event(at=1), flow_event(OTHER_FLOW, at=1), flow_event(at=2), flow_event(OTHER_FLOW, at=2)]
        await rig.append(*events)
        await eventually(attempted(rig, webhook, count=4))
        endpoint.accepted.clear()
        bad = events[2]
        endpoint.answer_by(lambda request: Reply(500 if request.id == bad.id else 204))
        await replay(rig, webhook, since=timestamp(0))
        for tries in (1, 2):
            await eventually(attempted(rig, webhook, count=4 + 3 + tries))
            (shown,) = await replays(rig, webhook)
            assert (shown["done"], shown["sent"], shown["failed"], shown["tries"]) == (False, 3, 0, tries)
            assert "next_try" in shown
            rig.clock.advance(seconds=80)
        await eventually(done(rig, webhook, sent=3, failed=1))
        assert_ids_in_order(endpoint.ids, [event for event in events if event is not bad])
        assert len(endpoint.ids) == 3
        assert await rig.parked(webhook) == []
        outcomes = [row.outcome for row in await rig.attempts(webhook) if row.event_id == bad.id]
        assert outcomes == ["delivered", "retrying", "retrying", "failed"]


async def test_replays_come_one_after_the_other() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        events = on_many_flows(40, flows=2)
        await rig.append(*events)
        await eventually(reached(rig, webhook, number=40))
        endpoint.hang()
        for _ in range(3):
            await replay(rig, webhook, since=timestamp(0))
            rig.clock.advance(seconds=1)
        endpoint.release()
        await eventually(lambda: len(endpoint.accepted) == 160)
        await eventually(done(rig, webhook, sent=40))
        assert [shown["sent"] for shown in await replays(rig, webhook)] == [40, 40, 40]


async def test_only_what_the_webhook_asks_for_now_and_what_is_kept() -> None:
    config = replace(CONFIG, log_hours=1)
    async with running(config) as rig, rig.started():
        endpoint = rig.receiver.at()
        endpoint.answer(500)
        webhook = await rig.register(endpoint.url)
        await rig.append(flow_event())
        await eventually(parked(rig, webhook, count=1))
        rig.clock.advance(seconds=3000)
        kept = flow_event(OTHER_FLOW)
        await rig.append(kept, flow_event())
        rig.clock.advance(seconds=1000)
        await Pruning(rig.store, config, clock=rig.clock).sweep()
        await rig.put(webhook, flow_ids=[OTHER_FLOW])
        endpoint.answer(204)
        await eventually(lambda: endpoint.ids == [kept.id])
        await eventually(parked(rig, webhook, count=0))
        endpoint.accepted.clear()
        await replay(rig, webhook, since=timestamp(0))
        await eventually(done(rig, webhook, sent=1))
        assert endpoint.ids == [kept.id]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"failed": False},
        {"event_id": new_id()},
        {"event_id": "x", "failed": True},
        {"since": "2023-11-14T22:13:20"},
        {"since": "yesterday"},
        {"since": "2033-01-01T00:00:00Z"},
        {"since": "2023-11-14T22:00:00Z", "until": "2023-11-14T22:00:00Z"},
        [],
    ],
)
async def test_what_cannot_be_replayed_is_refused(rig: Rig, asked: object) -> None:
    webhook = await rig.register(rig.receiver.at().url)
    await rig.append(flow_event(FLOW))
    await rig.client.post(f"/service/webhooks/{webhook}/deliveries/replay", asked, expect=400)


async def test_a_disabled_webhook_replays_nothing(rig: Rig) -> None:
    webhook = await rig.register(rig.receiver.at().url, status="disabled")
    await rig.append(flow_event())
    asked = {"since": timestamp(0)}
    await rig.client.post(f"/service/webhooks/{webhook}/deliveries/replay", asked, expect=400)


async def test_there_are_only_so_many_replays_at_once() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        await rig.append(flow_event())
        await eventually(reached(rig, webhook, number=1))
        endpoint.hang()
        for _ in range(20):
            await replay(rig, webhook, since=timestamp(0))
        answer = await rig.client.post(f"/service/webhooks/{webhook}/deliveries/replay", {"failed": True}, expect=400)
        assert "20 replays" in answer.json()["detail"]
