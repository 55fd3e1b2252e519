"""Deliveries, seen from outside: what receivers get, from whom, and when."""

import msgspec

from tams_common.http.message import Request, Response
from tams_webhooks.dressing import ADDED
from tams_webhooks.outgoing.signing import signer_of
from tests.common.eventually import eventually
from tests.conformance import rule
from tests.webhooks.rig import CONFIG, FLOW, OTHER_FLOW, flow_event, running, segments_event, source_event
from tests.webhooks.words import assert_in_order, on_many_flows, reached


@rule("EVT-1")
async def test_every_event_is_delivered_as_it_is() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        await rig.register(endpoint.url)
        events = [flow_event(), source_event(), flow_event(OTHER_FLOW)]
        await rig.publish(*events)
        await eventually(lambda: len(endpoint.accepted) == 3)
        assert {request.id: request.body for request in endpoint.accepted} == {
            event.id: event.value for event in events
        }
        assert endpoint.accepted[0].headers["content-type"] == "application/json"


@rule("WHK-18", "AUTH-18")
async def test_deliveries_are_signed_and_carry_the_api_key() -> None:  # WHK-18
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        await rig.register(endpoint.url, api_key_name="X-Key", api_key_value="very secret")
        await rig.publish(flow_event())
        await eventually(lambda: endpoint.accepted)
        (request,) = endpoint.accepted
        assert request.headers["x-key"] == "very secret"
        expected = signer_of(CONFIG).headers(request.id, int(request.headers["webhook-timestamp"]), body=request.body)
        assert request.headers.items() >= expected.items()


async def test_without_an_api_key_there_is_no_header_for_it() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        await rig.register(endpoint.url, api_key_name="X-Key")
        await rig.publish(flow_event())
        await eventually(lambda: endpoint.accepted)
        assert "x-key" not in endpoint.accepted[0].headers


@rule("EVT-17")
async def test_the_order_of_each_flow_is_kept() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        await rig.register(endpoint.url)
        events = on_many_flows(500)
        await rig.publish(*events)
        await eventually(lambda: len(endpoint.accepted) == 500)
        assert_in_order(endpoint, events)


async def test_a_webhook_gets_what_comes_after_it_and_what_it_asks_for() -> None:
    async with running() as rig, rig.started():
        endpoint, picky = rig.receiver.at("/all"), rig.receiver.at("/picky")
        await rig.append(flow_event(label="before"))
        await rig.register(endpoint.url)
        await rig.register(picky.url, flow_ids=[OTHER_FLOW], events=["flows/updated"])
        events = [flow_event(), source_event(), flow_event(OTHER_FLOW)]
        await rig.publish(*events)
        await eventually(lambda: len(endpoint.accepted) == 3 and picky.accepted)
        assert set(endpoint.ids) == {event.id for event in events}
        assert picky.ids == [events[2].id]


async def test_a_changed_filter_holds_for_every_later_event() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url, flow_ids=[FLOW])
        expected = []
        for turn in range(20):
            wanted, other = (FLOW, OTHER_FLOW) if turn % 2 else (OTHER_FLOW, FLOW)
            await rig.put(webhook, flow_ids=[wanted])
            events = [flow_event(other, at=turn + 1), flow_event(wanted, at=turn + 1)]
            expected.append(events[1].id)
            await rig.append(*events)
            await eventually(lambda: len(endpoint.accepted) >= len(expected))
        assert endpoint.ids == expected


async def test_a_cursor_moves_past_events_that_nobody_asked_for() -> None:
    async with running() as rig, rig.started():
        webhook = await rig.register(rig.receiver.at().url, flow_ids=[])
        await rig.append(*(flow_event() for _ in range(300)))
        await eventually(reached(rig, webhook, number=300))
        assert await rig.attempts(webhook) == []


async def test_events_from_before_the_start_are_read_from_the_log() -> None:
    async with running() as rig:
        endpoint = rig.receiver.at()
        await rig.register(endpoint.url)
        events = on_many_flows(1200, flows=100)
        await rig.append(*events)
        async with rig.started():
            await eventually(lambda: len(endpoint.accepted) == 1200)
        assert_in_order(endpoint, events)


async def test_live_webhooks_get_everything_while_a_dead_one_hangs() -> None:
    async with running() as rig, rig.started():
        dead = rig.receiver.at("/dead")
        dead.hang()
        live = [rig.receiver.at(f"/{n}") for n in range(5)]
        hanging = await rig.register(dead.url)
        for endpoint in live:
            await rig.register(endpoint.url)
        events = on_many_flows(400, flows=40)
        for start in range(0, 400, 50):
            await rig.publish(*events[start : start + 50])
        await eventually(lambda: all(len(endpoint.accepted) == 400 for endpoint in live))
        await eventually(lambda: len(dead.received) == CONFIG.lane_concurrency)
        assert dead.most_at_once == CONFIG.lane_concurrency
        for endpoint in live:
            assert_in_order(endpoint, events)
        assert (await rig.webhook(hanging)).status == "started"


async def test_segments_are_shown_as_the_webhook_asks_and_segments_being_down_is_not_its_fault() -> None:
    is_down = True

    class Segments:
        async def __call__(self, request: Request) -> Response:
            if is_down:
                return Response(503)
            assert request.path == "/internal/segments/rendered"
            asked = msgspec.json.decode(await request.read())
            assert asked["base_url"] == "http://tams.test"
            rendered = [{**segment, "get_urls": []} for segment in asked["segments"]]
            return Response(200, msgspec.json.encode({"segments": rendered}))

    async with running(segments=Segments()) as rig, rig.started():
        endpoint, bare = rig.receiver.at(), rig.receiver.at("/bare")
        webhook = await rig.register(endpoint.url)
        await rig.register(bare.url, accept_get_urls=[])
        event = segments_event(b'{"object_id":"a","timerange":"[0:0_1:0)"}')
        await rig.publish(event)
        await eventually(lambda: bare.accepted)
        assert bare.accepted[0].body == event.value
        assert endpoint.received == []
        assert await rig.attempts(webhook) == []
        assert (await rig.lane(webhook)).failing_since == 0
        is_down = False
        await eventually(lambda: endpoint.accepted)
        sent = endpoint.accepted[0].json()
        assert sent["event_type"] == ADDED
        assert sent["event"]["segments"] == [{"object_id": "a", "timerange": "[0:0_1:0)", "get_urls": []}]


async def test_a_stopping_service_finishes_what_is_on_its_way_and_leaves_its_lanes() -> None:
    async with running() as rig:
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        async with rig.started():
            endpoint.hang()
            await rig.publish(flow_event())
            await eventually(lambda: endpoint.received)
        assert (await rig.lane(webhook)).owner == ""
        assert [outcome for _, outcome in await rig.outcomes(webhook)] == ["delivered"]
