"""Several replicas of webhooks share the lanes; one that is killed loses nothing and breaks no order."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
from msgspec.structs import replace

from tams_common.clock import SECOND, system_clock
from tams_common.events import Envelope
from tams_common.leases import LEASES, LeaseRow
from tams_common.runtime.supervisor import Supervisor
from tams_common.store import Query, Tx
from tams_webhooks import settling
from tams_webhooks.dispatcher import REPLICA, Dispatcher
from tams_webhooks.service import SERVICE
from tests.common.child import Child, child
from tests.common.eventually import eventually
from tests.stores import environ_of
from tests.webhooks.rig import CONFIG, FLOW, Rig, flow_event, running
from tests.webhooks.words import assert_in_order, attempted, on_many_flows

NEVER = 3600.0
FAST = replace(CONFIG, lease=4.0, sweep=0.05, delays=",".join(["0.1"] * 50))
"""Of processes: the disk of a busy machine may stall for a second."""
BRIEF = replace(FAST, lease=1.0)
"""For replicas that nothing kills: where nothing but the test moves the clock."""


@asynccontextmanager
async def another(rig: Rig) -> AsyncIterator[Dispatcher]:
    """A second replica on the same tables, in this process."""
    built = SERVICE.build(rig.config, rig.parts)
    supervisor = Supervisor()
    supervisor.start("another", built.behaviours)
    try:
        yield next(behaviour for behaviour in built.behaviours if isinstance(behaviour, Dispatcher))
    finally:
        rig.receiver.release()
        await supervisor.stop()
    if supervisor.failure.done():
        raise supervisor.failure.result()


async def owners(rig: Rig, webhooks: list[str]) -> list[str]:
    """Who has each lane."""
    return [(await rig.lane(webhook)).owner for webhook in webhooks]


async def test_lanes_are_shared_fairly_and_given_back() -> None:
    async with running() as rig, AsyncExitStack() as stack:
        endpoint = rig.receiver.at()
        webhooks = [await rig.register(endpoint.url) for _ in range(7)]
        await stack.enter_async_context(rig.started())

        async def one_has_all() -> bool:
            return "" not in (found := set(await owners(rig, webhooks))) and len(found) == 1

        async def both_have_some() -> bool:
            found = await owners(rig, webhooks)
            return "" not in found and sorted(found.count(owner) for owner in set(found)) == [3, 4]

        await eventually(one_has_all)
        async with another(rig):
            await eventually(both_have_some)
            events = on_many_flows(20)
            await rig.append(*events)
            await eventually(lambda: len(endpoint.accepted) == 140)
        await eventually(one_has_all)
        leases = (await rig.store.read(lambda tx: tx.scan(LEASES, Query()))).rows
        assert len([row for row in leases if row.name.startswith("replica:")]) == 1


async def test_order_holds_while_lanes_move() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        webhooks = [await rig.register(f"{endpoint.url}") for _ in range(2)]
        events = on_many_flows(600, flows=6)
        luck = random.Random(3)
        for start in range(0, 600, 100):
            await rig.append(*events[start : start + 50])
            async with another(rig):
                await rig.append(*events[start + 50 : start + 100])
                target = luck.randrange(start, start + 100)
                await eventually(lambda: len(set(endpoint.ids)) > target)  # noqa: B023
        for webhook in webhooks:
            await eventually(attempted(rig, webhook, count=600))
        assert_in_order(endpoint, events)
        assert len(endpoint.ids) == 1200


@asynccontextmanager
async def replica(rig: Rig, directory: Path) -> AsyncIterator[Child]:
    """A replica in a process of its own."""
    environ = {"TAMS_STORE_URL": f"sqlite:{directory}"} | environ_of(directory)
    environ |= {"TAMS_BUS_URL": f"sqlite:{directory}", "TAMS_LISTEN": "127.0.0.1:0", "TAMS_LOG_FORMAT": "json"}
    for name, value in msgspec.structs.asdict(rig.config).items():
        environ[f"TAMS_WEBHOOKS_{name.upper()}"] = str(value)
    async with child("tests.webhooks.replica_child", msgspec.json.encode(environ).decode()) as running_child:
        assert await running_child.tell() == "started"
        yield running_child


async def test_a_lane_moves_when_its_replica_is_killed(tmp_path: Path) -> None:
    async with running(FAST, directory=tmp_path) as rig:
        rig.clock.now = system_clock()
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        async with replica(rig, tmp_path) as first:
            before = [flow_event(at=n + 1) for n in range(10)]
            await rig.append(*before)
            await eventually(attempted(rig, webhook, count=10))
            owner = (await rig.lane(webhook)).owner
            async with replica(rig, tmp_path):
                endpoint.hang()
                after = [flow_event(at=n + 100) for n in range(10)]
                await rig.append(*after)
                await eventually(lambda: len(endpoint.received) == 11)
                await first.kill()
                endpoint.release()
                await eventually(lambda: {event.id for event in after} <= set(endpoint.ids))
                assert (await rig.lane(webhook)).owner not in ("", owner)
        assert_in_order(endpoint, [*before, *after])
        assert endpoint.ids.count(after[0].id) == 2
        assert len(endpoint.ids) == 21


async def test_nothing_is_lost_and_no_order_broken_whatever_is_killed(tmp_path: Path) -> None:
    async with running(FAST, directory=tmp_path) as rig, AsyncExitStack() as stack:
        rig.clock.now = system_clock()
        luck = random.Random(11)
        endpoints = [rig.receiver.at(f"/{n}") for n in range(4)]
        for endpoint in endpoints:
            await rig.register(endpoint.url)
        replicas = [await stack.enter_async_context(replica(rig, tmp_path)) for _ in range(2)]
        events: list[Envelope] = []
        for turn in range(3):
            for _ in range(10):
                more = [flow_event(FLOW, at=len(events) + 1), *on_many_flows(20, flows=5)]
                await rig.append(*more)
                events += more
            most = luck.randrange(len(events))
            await eventually(lambda: any(len(endpoint.received) > most for endpoint in endpoints))  # noqa: B023
            await replicas[turn % 2].kill()
            replicas[turn % 2] = await stack.enter_async_context(replica(rig, tmp_path))
        ids = {event.id for event in events}
        await eventually(lambda: all(ids <= set(endpoint.ids) for endpoint in endpoints))
        for endpoint in endpoints:
            assert_in_order(endpoint, events)


async def test_a_clock_that_was_ahead_gives_a_dead_replica_no_lane_for_that_long() -> None:
    async with running(BRIEF) as rig:
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        rig.clock.advance(seconds=3600)
        until, dead = rig.clock() + SECOND, "dead"

        def leave_behind(tx: Tx) -> None:
            """What a replica leaves that is killed."""
            settling.take(tx, {webhook: 1}, owner=dead, until=until)
            tx.insert(LEASES, [LeaseRow(f"{REPLICA}{dead}", dead, until, 1)])

        await rig.store.run(leave_behind)
        assert (await rig.lane(webhook)).owner == dead
        rig.clock.advance(seconds=-3600)
        async with rig.started():
            event = flow_event()
            await rig.append(event)
            await eventually(lambda: endpoint.ids == [event.id])


async def test_a_replica_whose_clock_is_set_back_keeps_its_lanes_and_their_ends() -> None:
    async with running(BRIEF) as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        await rig.append(flow_event())
        await eventually(lambda: len(endpoint.ids) == 1)
        owner = (await rig.lane(webhook)).owner
        rig.clock.advance(seconds=-3600)

        async def is_held() -> bool:
            lane = await rig.lane(webhook)
            return lane.owner == owner and lane.until == rig.clock() + SECOND

        await eventually(is_held)
        await rig.append(flow_event(at=2 * SECOND))
        await eventually(lambda: len(endpoint.ids) == 2)


async def test_what_happens_after_a_deletion_at_another_replica_is_not_sent() -> None:
    async with running(replace(CONFIG, sweep=NEVER)) as rig:
        deleted, kept = rig.receiver.at("/deleted"), rig.receiver.at("/kept")
        webhook = await rig.register(deleted.url)
        await rig.register(kept.url)
        async with another(rig) as dispatcher:
            before, after = flow_event(), flow_event(at=2 * SECOND)
            await rig.publish(before)
            await eventually(lambda: deleted.ids == kept.ids == [before.id])
            await eventually(attempted(rig, webhook, count=1))
            await rig.client.delete(f"/service/webhooks/{webhook}")
            await rig.publish(after)
            await eventually(lambda: kept.ids == [before.id, after.id])
            await eventually(lambda: len(dispatcher.lanes) == 1)
            assert deleted.ids == [before.id]
