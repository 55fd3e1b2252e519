"""What a replay may not do: overtake what is still to come, stall behind one event, repeat what has arrived."""

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tams_common.auth.principal import READ, Principal
from tams_common.events import timestamp
from tams_common.ids import new_id
from tams_common.store import Query, Tx
from tams_webhooks.replay_reading import CHUNK
from tams_webhooks.tables import REPLAY_PARKED
from tests.common.eventually import eventually
from tests.webhooks.receiver import Reply
from tests.webhooks.replays import done, replay, replays
from tests.webhooks.rig import CONFIG, FLOW, OTHER_FLOW, Rig, flow_event, running
from tests.webhooks.words import Check, assert_ids_in_order, attempted, on_many_flows, parked, reached

RETRIES = replace(CONFIG, delays="60,60")


def waiting(rig: Rig, webhook: str, *, flows: int, sent: int) -> Check:
    """Whether so many flows wait in the oldest replay, which has sent so many events."""

    async def check() -> bool:
        shown = (await replays(rig, webhook))[-1]
        return (shown["done"], shown.get("parked", 0), shown["sent"]) == (False, flows, sent)

    return check


async def newest_parked(rig: Rig, webhook: str) -> int:
    """How many flows wait in the newest replay."""
    return int((await replays(rig, webhook))[0].get("parked", 0))


async def test_what_waits_in_the_lane_is_left_to_it() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        events = [flow_event(at=n + 1) for n in range(4)]
        other = [flow_event(OTHER_FLOW, at=n + 1) for n in range(2)]
        endpoint.answer_by(lambda request: Reply(500 if request.id == events[1].id else 204))
        webhook = await rig.register(endpoint.url)
        await rig.append(*events, *other)
        await eventually(reached(rig, webhook, number=6))
        await eventually(lambda: len(endpoint.accepted) == 3)
        endpoint.answer(204)
        await replay(rig, webhook, since=timestamp(0))
        await eventually(done(rig, webhook, sent=3))
        rig.clock.advance(seconds=1)
        await replay(rig, webhook, event_id=events[2].id)
        await eventually(done(rig, webhook, sent=0))
        assert sorted(endpoint.ids) == sorted(event.id for event in (events[0], *other) * 2)
        rig.clock.advance(seconds=6)
        await eventually(lambda: len(endpoint.accepted) == 9)
        assert_ids_in_order(endpoint.ids, [*events, *other])


async def test_what_the_lane_has_not_come_to_is_left_to_it() -> None:
    async with running() as rig:
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        events = on_many_flows(300, flows=3)
        await rig.append(*events)
        for asked in ({"since": timestamp(0)}, {"event_id": events[200].id}, {"failed": True}):
            shown = await replay(rig, webhook, **asked)
            assert (shown["done"], shown["sent"]) == (True, 0)
        async with rig.started():
            await eventually(lambda: len(endpoint.accepted) >= 300)
            await eventually(parked(rig, webhook, count=0))
            assert_ids_in_order(endpoint.ids, events)
            assert len(endpoint.ids) == 300


async def test_what_failed_once_is_repeated_until_it_has_arrived() -> None:
    async with running(replace(CONFIG, delays="")) as rig, rig.started():
        endpoint = rig.receiver.at()
        endpoint.answer(500)
        webhook = await rig.register(endpoint.url)
        events = [flow_event(), flow_event(OTHER_FLOW), flow_event()]
        await rig.append(*events)
        await eventually(attempted(rig, webhook, count=3))
        rig.clock.advance(seconds=1)
        await replay(rig, webhook, failed=True)
        await eventually(done(rig, webhook, sent=0, failed=3))
        endpoint.answer(204)
        for sent in (3, 0):
            rig.clock.advance(seconds=1)
            await replay(rig, webhook, failed=True, since=timestamp(0))
            await eventually(done(rig, webhook, sent=sent))
        assert_ids_in_order(endpoint.ids, events)
        assert len(endpoint.ids) == 3


async def test_an_event_that_fails_holds_up_its_flow_and_not_its_replay() -> None:
    async with running(RETRIES) as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        events = on_many_flows(400, flows=100)
        await rig.append(*events)
        await eventually(reached(rig, webhook, number=400))
        await eventually(lambda: len(endpoint.accepted) == 400)
        endpoint.accepted.clear()
        bad = events[3]
        endpoint.answer_by(lambda request: Reply(400 if request.id == bad.id else 204))
        await replay(rig, webhook, since=timestamp(0))
        await eventually(waiting(rig, webhook, flows=1, sent=396))
        assert bad.key not in {event.key for event in events if event.id in endpoint.ids}
        for _ in range(2):
            tries = (await replays(rig, webhook))[0]["tries"]
            rig.clock.advance(seconds=80)
            await eventually(attempted(rig, webhook, count=400 + 396 + tries + 1))
        await eventually(done(rig, webhook, sent=399, failed=1))
        assert_ids_in_order(endpoint.ids, [event for event in events if event is not bad])
        assert len(endpoint.ids) == 399


async def test_what_failed_waits_in_its_replay_by_flow_too() -> None:
    async with running(replace(CONFIG, delays="60")) as rig, rig.started():
        endpoint = rig.receiver.at()
        events = [flow_event(at=n + 1) for n in range(5)]
        unlucky = {event.id for event in events[::2]}
        endpoint.answer_by(lambda request: Reply(400 if request.id in unlucky else 204))
        webhook = await rig.register(endpoint.url)
        await rig.append(*events)
        for count in (1, 4, 7):
            await eventually(attempted(rig, webhook, count=count))
            rig.clock.advance(seconds=80)
        await eventually(attempted(rig, webhook, count=8))
        await eventually(parked(rig, webhook, count=0))
        await replay(rig, webhook, failed=True)
        await eventually(waiting(rig, webhook, flows=1, sent=0))
        endpoint.answer(204)
        rig.clock.advance(seconds=80)
        await eventually(done(rig, webhook, sent=3))
        assert endpoint.ids == [events[n].id for n in (1, 3, 0, 2, 4)]


async def test_two_replays_of_what_failed_bring_it_once() -> None:
    async with running(replace(CONFIG, delays="60")) as rig, rig.started():
        endpoint = rig.receiver.at()
        endpoint.answer(400)
        webhook = await rig.register(endpoint.url)
        events = [flow_event(at=1), flow_event(at=2)]
        await rig.append(*events)
        for count in (1, 3):
            await eventually(attempted(rig, webhook, count=count))
            rig.clock.advance(seconds=80)
        await eventually(attempted(rig, webhook, count=4))
        await eventually(parked(rig, webhook, count=0))
        await replay(rig, webhook, failed=True)
        await eventually(waiting(rig, webhook, flows=1, sent=0))
        rig.clock.advance(seconds=1)
        await replay(rig, webhook, failed=True)
        await eventually(lambda: newest_parked(rig, webhook))
        endpoint.answer(204)
        rig.clock.advance(seconds=80)
        await eventually(done(rig, webhook, sent=0))
        assert endpoint.ids == [event.id for event in events]


async def test_a_later_replay_passes_what_waits_but_keeps_the_order() -> None:
    async with running(RETRIES) as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        events = on_many_flows(40, flows=4)
        await rig.append(*events)
        await eventually(reached(rig, webhook, number=40))
        await eventually(lambda: len(endpoint.accepted) == 40)
        endpoint.accepted.clear()
        stuck = {event.id for event in events if event.key == events[0].key}
        endpoint.answer_by(lambda request: Reply(400 if request.id in stuck else 204))
        await replay(rig, webhook, since=timestamp(0))
        await eventually(waiting(rig, webhook, flows=1, sent=30))
        rig.clock.advance(seconds=1)
        await replay(rig, webhook, since=timestamp(0))
        await eventually(lambda: len(endpoint.accepted) == 60)
        assert [request.id for request in endpoint.received].count(events[0].id) == 2
        endpoint.answer(204)
        rig.clock.advance(seconds=80)
        await eventually(done(rig, webhook, sent=40))
        assert_ids_in_order(endpoint.ids, events)
        assert [id for id in endpoint.ids if id in stuck] == [event.id for event in events if event.id in stuck] * 2


async def test_a_replay_is_cancelled() -> None:
    async with running(RETRIES) as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        path = f"/service/webhooks/{webhook}/deliveries/replays"
        await rig.append(flow_event(), flow_event(), flow_event(OTHER_FLOW))
        await eventually(reached(rig, webhook, number=3))
        await eventually(lambda: len(endpoint.accepted) == 3)
        endpoint.answer_by(lambda request: Reply(400 if FLOW.encode() in request.body else 204))
        shown = await replay(rig, webhook, since=timestamp(0))
        await eventually(waiting(rig, webhook, flows=1, sent=1))
        stranger = rig.client_of(Principal("stranger", frozenset({READ})))
        await stranger.delete(f"{path}/{shown['id']}", expect=404)
        await rig.client.delete(f"{path}/{new_id()}", expect=404)
        await rig.client.delete(f"{path}/{shown['id']}")
        assert await replays(rig, webhook) == []
        assert (await rig.store.read(lambda tx: tx.scan(REPLAY_PARKED, Query()))).rows == []
        endpoint.answer(204)
        rig.clock.advance(seconds=80)
        last = flow_event()
        await rig.append(last)
        await replay(rig, webhook, event_id=last.id)
        await eventually(lambda: last.id in endpoint.ids)
        assert len(endpoint.received) == 3 + 2 + endpoint.ids.count(last.id)


async def test_a_replay_is_cancelled_in_mid_flight() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        events = on_many_flows(100, flows=100)
        await rig.append(*events)
        await eventually(lambda: len(endpoint.accepted) == 100)
        await eventually(attempted(rig, webhook, count=100))
        endpoint.hang()
        shown = await replay(rig, webhook, since=timestamp(0))
        await eventually(lambda: len(endpoint.received) == 100 + CHUNK)
        await rig.client.delete(f"/service/webhooks/{webhook}/deliveries/replays/{shown['id']}")
        endpoint.release()
        await eventually(attempted(rig, webhook, count=100 + CHUNK))
        assert await replays(rig, webhook) == []
        last = flow_event()
        await rig.append(last)
        await eventually(lambda: last.id in endpoint.ids)
        assert len(endpoint.received) <= 101 + 2 * CHUNK


async def test_a_retry_is_asked_for() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        events = on_many_flows(60, flows=6)
        await rig.append(*events)
        await eventually(reached(rig, webhook, number=60))
        await eventually(lambda: len(endpoint.accepted) == 60)
        endpoint.accepted.clear()
        endpoint.answer_by(
            lambda request: Reply(400 if request.json()["event"]["flow"]["id"] == events[0].key else 204)
        )
        await replay(rig, webhook, since=timestamp(0))
        await eventually(waiting(rig, webhook, flows=1, sent=50))
        endpoint.answer(503, retry_after="86400")
        event = flow_event()
        await rig.append(event)
        await eventually(parked(rig, webhook, count=1))
        endpoint.answer(204)
        answer = await rig.client.post(f"/service/webhooks/{webhook}/deliveries/retry", expect=202)
        assert answer.json() == {"parked": 2}
        await eventually(parked(rig, webhook, count=0))
        await eventually(done(rig, webhook, sent=60))
        assert_ids_in_order(endpoint.ids, [*events, event])
        assert len(endpoint.ids) == 61


async def test_what_a_replay_brings_while_the_lane_is_being_written_is_written_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running() as rig, rig.started():
        endpoint, run = rig.receiver.at(), rig.store.run
        webhook = await rig.register(endpoint.url)
        await rig.append(flow_event())
        await eventually(reached(rig, webhook, number=1))
        endpoint.hang()
        await replay(rig, webhook, since=timestamp(0))
        await eventually(lambda: len(endpoint.received) == 2)
        held, go_on = asyncio.Event(), asyncio.Event()

        async def later(fn: Callable[[Tx], object]) -> object:
            held.set()
            await go_on.wait()
            return await run(fn)

        await rig.append(flow_event(OTHER_FLOW))
        monkeypatch.setattr(rig.store, "run", later)
        await held.wait()
        endpoint.release()
        await eventually(lambda: len(endpoint.accepted) == 3 and not is_replaying())
        go_on.set()
        await eventually(done(rig, webhook, sent=1))


def is_replaying() -> bool:
    """Whether a step of a replay is under way."""
    return any("Replaying._step" in repr(task.get_coro()) for task in asyncio.all_tasks())


async def test_a_disabled_webhook_retries_nothing(rig: Rig) -> None:
    webhook = await rig.register(rig.receiver.at().url, status="disabled")
    await rig.client.post(f"/service/webhooks/{webhook}/deliveries/retry", expect=400)
