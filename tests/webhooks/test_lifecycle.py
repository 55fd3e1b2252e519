"""A webhook's status while there is something to deliver (WHK-13 to WHK-17), and what becomes of what waits."""

from msgspec.structs import replace

from tams_common.ids import FlowId, new_id
from tams_common.store import Query
from tams_webhooks.pruning import Pruning
from tams_webhooks.tables import LANES, PARKED, REPLAY_PARKED, REPLAYS, WEBHOOKS
from tests.common.eventually import eventually
from tests.conformance import rule
from tests.webhooks.receiver import Reply
from tests.webhooks.rig import CONFIG, FLOW, OTHER_FLOW, flow_event, running
from tests.webhooks.words import assert_in_order, attempted, on_many_flows, parked, reached, released, status, tried

DAY = 24 * 3600


@rule("WHK-13")
async def test_a_new_webhook_is_started_by_the_replica_that_takes_it() -> None:  # WHK-13
    async with running() as rig:
        webhook = await rig.register(rig.receiver.at().url)
        assert (await rig.webhook(webhook)).status == "created"
        async with rig.started():
            await eventually(status(rig, webhook, is_="started"))


@rule("WHK-14")
async def test_a_disabled_webhook_is_sent_nothing_and_starts_at_the_log_s_end() -> None:  # WHK-14
    async with running() as rig, rig.started():
        endpoint, marker = rig.receiver.at(), rig.receiver.at("/marker")
        endpoint.answer_by(lambda request: Reply(500 if FLOW.encode() in request.body else 204))
        webhook = await rig.register(endpoint.url)
        await rig.register(marker.url)
        before = flow_event(OTHER_FLOW)
        await rig.append(flow_event(), before)
        await eventually(parked(rig, webhook, count=1))
        await eventually(tried(rig, webhook, event=before))
        await rig.put(webhook, status="disabled")
        await eventually(released(rig, webhook))
        await rig.append(flow_event(OTHER_FLOW), flow_event())
        await eventually(lambda: len(marker.accepted) == 4)
        endpoint.answer(204)
        await rig.put(webhook)
        assert await rig.parked(webhook) == []
        after = [flow_event(), flow_event(OTHER_FLOW)]
        await rig.append(*after)
        await eventually(lambda: len(endpoint.accepted) == 3)
        assert endpoint.ids[0] == before.id
        assert set(endpoint.ids[1:]) == {event.id for event in after}
        assert (await rig.webhook(webhook)).status == "started"


async def test_a_webhook_that_is_disabled_in_mid_flight_is_sent_nothing_more() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        endpoint.hang()
        webhook = await rig.register(endpoint.url)
        events = [flow_event(at=n + 1) for n in range(20)]
        await rig.append(*events)
        await eventually(lambda: endpoint.received)
        await rig.put(webhook, status="disabled")
        endpoint.release()
        await eventually(released(rig, webhook))
        marker = rig.receiver.at("/marker")
        await rig.register(marker.url)
        await rig.append(flow_event())
        await eventually(lambda: marker.accepted)
        assert len(endpoint.received) == 1


async def test_a_webhook_that_is_deleted_in_mid_flight_leaves_nothing() -> None:
    async with running() as rig, rig.started():
        endpoint, marker = rig.receiver.at(), rig.receiver.at("/marker")
        endpoint.hang()
        webhook = await rig.register(endpoint.url)
        await rig.append(*on_many_flows(100, flows=50))
        await eventually(parked(rig, webhook, count=50))
        await rig.client.delete(f"/service/webhooks/{webhook}")
        endpoint.release()
        await rig.register(marker.url)
        await rig.append(flow_event())
        await eventually(lambda: marker.accepted)
        for table in (LANES, PARKED, REPLAYS, REPLAY_PARKED):
            rows = (await rig.store.read(lambda tx, table=table: tx.scan(table, Query()))).rows  # type: ignore[misc]
            assert [row for row in rows if row.webhook_id == webhook] == []
        assert await rig.store.read(lambda tx: tx.get(WEBHOOKS, (webhook,))) is None
        assert len(endpoint.received) == CONFIG.lane_concurrency


async def test_another_url_is_used_at_once() -> None:
    async with running() as rig, rig.started():
        old, new = rig.receiver.at("/old"), rig.receiver.at("/new")
        old.answer(500)
        webhook = await rig.register(old.url)
        events = [flow_event(at=1), flow_event(at=2)]
        await rig.append(*events)
        await eventually(parked(rig, webhook, count=1))
        await rig.put(webhook, url=new.url)
        await eventually(lambda: len(new.accepted) == 2)
        assert_in_order(new, events)


@rule("WHK-16")
async def test_leaving_error_goes_on_where_it_was() -> None:  # WHK-16
    async with running() as rig, rig.started():
        endpoint, marker = rig.receiver.at(), rig.receiver.at("/marker")
        endpoint.answer(410)
        webhook = await rig.register(endpoint.url)
        await rig.register(marker.url)
        first = flow_event(at=1)
        await rig.append(first)
        await eventually(status(rig, webhook, is_="error"))
        await eventually(released(rig, webhook))
        later = [flow_event(at=2), flow_event(OTHER_FLOW), flow_event(at=3)]
        await rig.append(*later)
        await eventually(lambda: len(marker.accepted) == 4)
        assert len(endpoint.received) == 1
        endpoint.answer(204)
        await rig.put(webhook)
        await eventually(lambda: len(endpoint.accepted) == 4)
        assert_in_order(endpoint, [first, *later])
        await eventually(parked(rig, webhook, count=0))
        assert (await rig.lane(webhook)).failing_since == 0


async def test_what_was_not_kept_is_reported_once() -> None:
    config = replace(CONFIG, log_hours=24, attempt_hours=24 * 30)
    async with running(config) as rig:
        endpoint = rig.receiver.at()
        endpoint.answer(410)
        webhook = await rig.register(endpoint.url)
        async with rig.started():
            await rig.append(*(flow_event(FlowId(new_id())) for _ in range(3)))
            await eventually(status(rig, webhook, is_="error"))
            await eventually(released(rig, webhook))
            made = len(await rig.attempts(webhook))
            waiting, lane = await rig.parked(webhook), await rig.lane(webhook)
            await rig.append(*(flow_event() for _ in range(50)))
            rig.clock.advance(seconds=DAY + 1)
            kept = [flow_event(), flow_event(FlowId(waiting[0].key))]
            await rig.append(*kept)
            await Pruning(rig.store, config, clock=rig.clock).sweep()
            endpoint.answer(204)
            await rig.put(webhook)
            await eventually(lambda: len(endpoint.accepted) == 2)
            await eventually(attempted(rig, webhook, count=made + 3))
            await eventually(parked(rig, webhook, count=0))
        assert set(endpoint.ids) == {event.id for event in kept}
        (note,) = [row for row in await rig.attempts(webhook) if row.outcome == "skipped"]
        assert f"{53 - lane.cursor} events" in note.error
        assert f"of {len(waiting)} flows" in note.error
        assert (note.number, note.event_id, note.key, note.status) == (0, "", "", None)


async def test_a_cursor_far_behind_memory_reads_the_log() -> None:
    async with running() as rig, rig.started():
        endpoint, marker = rig.receiver.at(), rig.receiver.at("/marker")
        endpoint.answer(410)
        webhook = await rig.register(endpoint.url)
        await rig.register(marker.url, flow_ids=[OTHER_FLOW])
        events = on_many_flows(2500, flows=5)
        await rig.append(events[0])
        await eventually(status(rig, webhook, is_="error"))
        for start in range(1, 2500, 500):
            await rig.append(*events[start : start + 500])
        await rig.append(flow_event(OTHER_FLOW))
        await eventually(lambda: marker.accepted)
        endpoint.answer(204)
        await rig.put(webhook)
        await eventually(reached(rig, webhook, number=2501))
        await eventually(lambda: len(endpoint.accepted) == 2501)
        assert set(endpoint.ids) > {event.id for event in events}
