"""What failures lead to: retries in order, flows that wait without rows of their events, webhooks in status `error`."""

import asyncio
import random

import pytest
from msgspec.structs import replace

from tams_common.clock import SECOND
from tams_common.ids import FlowId, new_id
from tams_webhooks.batch import MOST_PARKED
from tests.common.eventually import eventually
from tests.conformance import rule
from tests.webhooks.receiver import Reply
from tests.webhooks.rig import CONFIG, FLOW, OTHER_FLOW, flow_event, running
from tests.webhooks.words import assert_in_order, attempted, on_many_flows, parked, status, tried

HOUR = 3600
ONE_TRY = replace(CONFIG, delays="")


@rule("EVT-10")
@pytest.mark.parametrize("code", [301, 400, 404, 500])
async def test_only_2xx_is_a_success(code: int) -> None:  # EVT-10
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        endpoint.answer(code, location=rig.receiver.at("/elsewhere").url)
        webhook = await rig.register(endpoint.url)
        event = flow_event()
        await rig.publish(event)
        await eventually(parked(rig, webhook, count=1))
        (attempt,) = await rig.attempts(webhook)
        assert (attempt.event_id, attempt.outcome, attempt.status, attempt.tries) == (event.id, "retrying", code, 1)
        assert 4 * SECOND <= attempt.due - rig.clock() <= 6 * SECOND
        assert (await rig.lane(webhook)).failing_since == attempt.at
        assert rig.receiver.at("/elsewhere").received == []
        endpoint.answer(200)
        rig.clock.advance(seconds=6)
        await eventually(parked(rig, webhook, count=0))
        assert await rig.outcomes(webhook) == [(event.id, "retrying"), (event.id, "delivered")]
        assert (await rig.lane(webhook)).failing_since == 0


async def test_a_parked_flow_waits_without_rows_and_drains_in_order() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        endpoint.answer(500)
        webhook = await rig.register(endpoint.url)
        first = flow_event()
        await rig.publish(first)
        await eventually(parked(rig, webhook, count=1))
        endpoint.answer_by(lambda request: Reply(500) if request.json()["event"]["flow"]["id"] == FLOW else Reply())
        events = [event for n in range(250) for event in (flow_event(at=n + 2), flow_event(OTHER_FLOW, at=n + 2))]
        await rig.append(*events)
        await eventually(lambda: len(endpoint.accepted) == 250)
        await eventually(attempted(rig, webhook, count=251))
        (waiting,) = await rig.parked(webhook)
        assert (waiting.key, waiting.number, waiting.tries) == (FLOW, 1, 1)
        assert [request.id for request in endpoint.received].count(first.id) == 1
        endpoint.answer(200)
        rig.clock.advance(seconds=6)
        await eventually(lambda: len(endpoint.accepted) == 501)
        await eventually(parked(rig, webhook, count=0))
        assert_in_order(endpoint, [first, *events])
        assert len(endpoint.ids) == 501


async def test_used_up_tries_fail_the_event_and_the_flow_goes_on() -> None:
    async with running(replace(CONFIG, delays="60,60")) as rig, rig.started():
        endpoint = rig.receiver.at()
        events = [flow_event(at=n + 1) for n in range(3)]
        endpoint.answer_by(lambda request: Reply(500 if request.id == events[0].id else 204))
        webhook = await rig.register(endpoint.url)
        await rig.append(*events)
        for tries in range(1, 4):
            await eventually(attempted(rig, webhook, count=tries))
            rig.clock.advance(seconds=80)
        await eventually(parked(rig, webhook, count=0))
        await eventually(lambda: len(endpoint.accepted) == 2)
        assert endpoint.ids == [events[1].id, events[2].id]
        found = await rig.attempts(webhook)
        assert [(row.outcome, row.tries) for row in found[:3]] == [("retrying", 1), ("retrying", 2), ("failed", 3)]
        assert found[2].due == 0


@rule("WHK-17")
async def test_ten_tries_over_three_days_unless_configured_otherwise() -> None:
    async with running() as rig, rig.started():
        endpoint, marker = rig.receiver.at(), rig.receiver.at("/marker")
        endpoint.answer(500)
        webhook = await rig.register(endpoint.url, flow_ids=[FLOW])
        await rig.register(marker.url, flow_ids=[OTHER_FLOW])
        await rig.append(flow_event())
        begin = rig.clock()
        for tries, hours in enumerate((5 / HOUR, 1 / 12, 0.5, 2, 5, 10, 14, 20, 24), start=1):
            await eventually(attempted(rig, webhook, count=tries))
            last = (await rig.attempts(webhook))[-1]
            assert (last.outcome, last.tries) == ("retrying", tries)
            assert 0.8 * hours <= (last.due - rig.clock()) / SECOND / HOUR <= 1.2 * hours
            rig.clock.advance(seconds=(last.due - rig.clock()) // SECOND)
            await rig.append(flow_event(OTHER_FLOW))
            await eventually(lambda tries=tries: len(marker.accepted) == tries)  # type: ignore[misc]
            assert len(await rig.attempts(webhook)) == tries
            rig.clock.advance(seconds=1)
        await eventually(attempted(rig, webhook, count=10))
        assert (await rig.attempts(webhook))[-1].outcome == "failed"
        assert 0.8 * 76 <= (rig.clock() - begin) / SECOND / HOUR <= 1.2 * 76
        await eventually(parked(rig, webhook, count=0))


async def test_an_attempt_takes_fifteen_seconds_unless_configured_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        endpoint.hang()
        webhook = await rig.register(endpoint.url)
        await rig.append(flow_event())
        await eventually(lambda: endpoint.received)
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda real=loop.time: real() + 15)
        await eventually(attempted(rig, webhook, count=1))
        (attempt,) = await rig.attempts(webhook)
        assert (attempt.outcome, attempt.status) == ("retrying", None)
        assert "15 s" in attempt.error


async def test_an_event_without_further_tries_fails_at_once() -> None:
    async with running(ONE_TRY) as rig, rig.started():
        endpoint = rig.receiver.at()
        endpoint.answer(500)
        webhook = await rig.register(endpoint.url)
        events = on_many_flows(60, flows=3)
        await rig.append(*events)
        await eventually(attempted(rig, webhook, count=60))
        await eventually(parked(rig, webhook, count=0))
        assert {outcome for _, outcome in await rig.outcomes(webhook)} == {"failed"}
        assert len(endpoint.received) == 60


@rule("EVT-17")
async def test_order_holds_whatever_fails() -> None:
    async with running(replace(CONFIG, delays=",".join(["1"] * 40), lease=100_000)) as rig, rig.started():
        endpoint = rig.receiver.at()
        luck = random.Random(7)
        endpoint.answer_by(lambda _: Reply(luck.choice((200, 204, 500, 503))))
        await rig.register(endpoint.url)
        events = on_many_flows(400, flows=7)
        for start in range(0, 400, 80):
            await rig.publish(*events[start : start + 80])

        def all_came() -> bool:
            rig.clock.advance(seconds=1)
            return len(set(endpoint.ids)) == 400

        await eventually(all_came)
        assert_in_order(endpoint, events)
        assert len(endpoint.ids) == 400


async def test_as_many_waiting_flows_as_there_may_be_stop_the_lane() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        endpoint.answer(500)
        webhook = await rig.register(endpoint.url)
        events = on_many_flows(MOST_PARKED + 300, flows=MOST_PARKED + 300)
        late = [flow_event(FlowId(events[0].key), at=10**6), flow_event(FlowId(events[-1].key), at=10**6)]
        await rig.append(*events, *late)
        await eventually(parked(rig, webhook, count=MOST_PARKED))
        lane = await rig.lane(webhook)
        assert lane.cursor == MOST_PARKED
        assert len(endpoint.received) == MOST_PARKED
        endpoint.answer(200)
        rig.clock.advance(seconds=6)
        await eventually(lambda: len(endpoint.accepted) == len(events) + 2)
        await eventually(parked(rig, webhook, count=0))
        assert_in_order(endpoint, [*events, *late])
        assert len(endpoint.ids) == len(events) + 2


async def test_overload_pauses_the_whole_webhook() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        endpoint.answer(429, retry_after="100")
        webhook = await rig.register(endpoint.url)
        event, other = flow_event(), flow_event(OTHER_FLOW)
        await rig.publish(event)
        await eventually(parked(rig, webhook, count=1))
        assert (await rig.attempts(webhook))[0].due == rig.clock() + 100 * SECOND
        endpoint.answer(204)
        marker = rig.receiver.at("/marker")
        await rig.register(marker.url)
        await rig.append(other)
        rig.clock.advance(seconds=99)
        await eventually(lambda: marker.accepted)
        assert endpoint.accepted == []
        rig.clock.advance(seconds=1)
        await eventually(lambda: set(endpoint.ids) == {event.id, other.id})


async def test_410_ends_it_at_once() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        endpoint.answer(410)
        webhook = await rig.register(endpoint.url)
        events = [flow_event(), flow_event(OTHER_FLOW)]
        await rig.append(*events)
        await eventually(status(rig, webhook, is_="error"))
        shown = (await rig.client.get(f"/service/webhooks/{webhook}")).json()
        assert shown["status"] == "error"
        assert "410" in shown["error"]["summary"]
        assert set(shown["error"]) == {"type", "summary", "time"}
        endpoint.answer(204)
        await rig.put(webhook)
        await eventually(lambda: set(endpoint.ids) == {event.id for event in events})
        assert (await rig.webhook(webhook)).status == "started"


@rule("WHK-16", "WHK-17")
async def test_five_days_without_a_success_are_an_error() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        endpoint.answer(500)
        webhook = await rig.register(endpoint.url)
        await rig.append(*(flow_event(FlowId(new_id())) for _ in range(3)))
        await eventually(attempted(rig, webhook, count=3))
        for _ in range(5):
            rig.clock.advance(seconds=20 * HOUR)
            event = flow_event(FlowId(new_id()))
            await rig.append(event)
            await eventually(tried(rig, webhook, event=event))
            assert (await rig.webhook(webhook)).status == "started"
        rig.clock.advance(seconds=20 * HOUR)
        await eventually(status(rig, webhook, is_="error"))
        assert "120 hours" in (await rig.client.get(f"/service/webhooks/{webhook}")).json()["error"]["summary"]


async def test_one_success_in_five_days_is_no_error() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        for day in range(10):
            endpoint.answer(204 if day == 4 else 500)
            event = flow_event(FlowId(new_id()))
            await rig.append(event)
            await eventually(tried(rig, webhook, event=event))
            rig.clock.advance(seconds=24 * HOUR)
        assert (await rig.webhook(webhook)).status == "started"
