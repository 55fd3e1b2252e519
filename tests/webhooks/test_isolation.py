"""What webhooks whose receivers hang may take from the others: nothing."""

import asyncio

import pytest
from msgspec.structs import replace

from tams_webhooks.outgoing import sender
from tests.common.eventually import eventually
from tests.webhooks.rig import CONFIG, OTHER_FLOW, flow_event, running, source_event
from tests.webhooks.words import assert_in_order, attempted, on_many_flows, parked

HANGING = 17


async def test_many_that_hang_behind_one_host_do_not_stop_one_that_lives() -> None:
    async with running() as rig, rig.started():
        stuck = [rig.receiver.at(f"/hangs/{n}") for n in range(HANGING)]
        for endpoint in stuck:
            endpoint.hang()
            await rig.register(endpoint.url)
        await rig.append(*on_many_flows(CONFIG.lane_concurrency, flows=CONFIG.lane_concurrency))
        await eventually(lambda: all(len(each.received) == CONFIG.lane_concurrency for each in stuck))
        endpoint = rig.receiver.at("/lives")
        webhook = await rig.register(endpoint.url)
        events = on_many_flows(200, flows=40)
        await rig.append(*events)
        await eventually(attempted(rig, webhook, count=200))
        assert_in_order(endpoint, events)
        assert {outcome for _, outcome in await rig.outcomes(webhook)} == {"delivered"}


async def test_waiting_for_a_turn_is_no_part_of_an_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "MOST", 1)
    async with running(replace(CONFIG, timeout=600.0)) as rig, rig.started():
        hangs, lives = rig.receiver.at("/hangs"), rig.receiver.at("/lives")
        hangs.hang()
        stuck = await rig.register(hangs.url, events=["flows/updated"])
        webhook = await rig.register(lives.url, events=["sources/updated"])
        await rig.append(flow_event(), flow_event(OTHER_FLOW))
        await eventually(parked(rig, stuck, count=2))
        await rig.append(source_event())
        await eventually(parked(rig, webhook, count=1))
        assert len(hangs.received) == 1
        loop = asyncio.get_running_loop()
        early = loop.time
        monkeypatch.setattr(loop, "time", lambda: early() + 600)
        await eventually(lambda: len(hangs.received) == 2)
        monkeypatch.setattr(loop, "time", lambda: early() + 1200)
        await eventually(attempted(rig, webhook, count=1))
        assert [outcome for _, outcome in await rig.outcomes(webhook)] == ["delivered"]
