"""Forgetting: old events go in order, old attempts with them, and nothing young."""

import asyncio
from pathlib import Path

import msgspec

from tams_common.clock import SECOND
from tams_common.store import Query, Tx
from tams_webhooks.log import append, head_of
from tams_webhooks.pruning import Pruning
from tams_webhooks.tables import ATTEMPTS, EVENT_LOG, LANES, AttemptRow, LaneRow
from tests.common.eventually import eventually
from tests.common.ledger import running as beside
from tests.webhooks.rig import CONFIG, Rig, flow_event, running

HOUR = 3600
KEEP = msgspec.structs.replace(CONFIG, log_hours=2, attempt_hours=3)
FIRST, SECOND_HOOK, GONE = "webhook-1", "webhook-2", "webhook-3"


def pruning_of(rig: Rig, *, batch: int = 500) -> Pruning:
    return Pruning(rig.store, KEEP, clock=rig.clock, interval=0.01, batch=batch)


async def log(rig: Rig, count: int) -> None:
    for _ in range(count):
        await rig.store.run(lambda tx: append(tx, flow_event(), at=rig.clock()))


async def numbers(rig: Rig) -> list[int]:
    return [row.number for row in await rig.store.read(lambda tx: tx.scan(EVENT_LOG, Query()).rows)]


async def attempt(rig: Rig, webhook_id: str, *, hours_ago: int, count: int = 1) -> None:
    """Notes attempts; the lane's row is written with them, as the guard asks."""
    at = rig.clock() - hours_ago * HOUR * SECOND
    rows = [
        AttemptRow(
            webhook_id=webhook_id,
            at=at + n,
            number=n,
            event_id="e",
            event_type="flows/updated",
            key="f",
            tries=1,
            outcome="delivered",
            status=204,
            latency=1,
            error="",
            due=0,
        )
        for n in range(count)
    ]

    def write(tx: Tx) -> None:
        lane = tx.get(LANES, (webhook_id,))
        if lane is None:
            tx.insert(LANES, [LaneRow(webhook_id=webhook_id, cursor=0, owner="", until=0, version=1)])
        else:
            tx.touch(LANES, (webhook_id,))
        tx.insert(ATTEMPTS, rows)

    await rig.store.run(write)


async def attempts(rig: Rig) -> dict[str, int]:
    counted: dict[str, int] = {}
    for row in await rig.store.read(lambda tx: tx.scan(ATTEMPTS, Query()).rows):
        counted[row.webhook_id] = counted.get(row.webhook_id, 0) + 1
    return counted


async def test_old_events_go_and_the_head_knows_the_oldest() -> None:
    async with running() as rig:
        await log(rig, 7)
        rig.clock.advance(seconds=HOUR)
        await log(rig, 2)
        rig.clock.advance(seconds=HOUR)
        await pruning_of(rig).sweep()
        assert len(await numbers(rig)) == 9, "exactly as old as they may be"
        rig.clock.advance(seconds=1)
        await pruning_of(rig, batch=3).sweep()
        assert await numbers(rig) == [8, 9]
        head = await rig.store.read(head_of)
        assert (head.oldest, head.next) == (8, 10)


async def test_an_empty_log_is_left_alone_and_numbers_never_come_again() -> None:
    async with running() as rig:
        await pruning_of(rig).sweep()
        assert (await rig.store.read(head_of)).version == 0
        await log(rig, 3)
        rig.clock.advance(seconds=3 * HOUR)
        await pruning_of(rig).sweep()
        head = await rig.store.read(head_of)
        assert (head.oldest, head.next) == (4, 4)
        await pruning_of(rig).sweep()
        assert await rig.store.read(head_of) == head
        await log(rig, 1)
        assert await numbers(rig) == [4]


async def test_an_event_that_a_slow_clock_made_old_waits_for_those_before_it() -> None:
    async with running() as rig:
        await log(rig, 1)
        rig.clock.advance(seconds=-HOUR)
        await log(rig, 1)
        rig.clock.advance(seconds=HOUR + 2 * HOUR)
        await pruning_of(rig).sweep()
        assert await numbers(rig) == [1, 2]


async def test_old_attempts_go_webhook_by_webhook() -> None:
    async with running() as rig:
        await attempt(rig, FIRST, hours_ago=4, count=7)
        await attempt(rig, FIRST, hours_ago=2, count=2)
        await attempt(rig, SECOND_HOOK, hours_ago=1, count=5)
        await attempt(rig, GONE, hours_ago=5, count=4)
        await pruning_of(rig, batch=3).sweep()
        assert await attempts(rig) == {FIRST: 2, SECOND_HOOK: 5}


async def test_what_was_told_of_a_webhook_that_is_gone_goes_too() -> None:
    async with running() as rig:
        await attempt(rig, FIRST, hours_ago=0, count=2)
        await attempt(rig, GONE, hours_ago=0, count=8)
        await attempt(rig, "webhook-4", hours_ago=0, count=1)
        await rig.store.run(lambda tx: tx.delete(LANES, [(GONE,)]))
        await pruning_of(rig, batch=3).sweep()
        assert await attempts(rig) == {FIRST: 2, "webhook-4": 1}


async def test_two_replicas_prune_beside_an_appender(tmp_path: Path) -> None:
    async with running(directory=tmp_path) as rig:
        await log(rig, 200)
        rig.clock.advance(seconds=3 * HOUR)
        await asyncio.gather(pruning_of(rig, batch=7).sweep(), pruning_of(rig, batch=11).sweep(), log(rig, 50))
        assert await numbers(rig) == list(range(201, 251))
        head = await rig.store.read(head_of)
        assert (head.oldest, head.next) == (201, 251)


async def test_pruning_goes_on_by_itself() -> None:
    async with running() as rig:
        await log(rig, 1)
        rig.clock.advance(seconds=3 * HOUR)
        async with beside(pruning_of(rig).run):
            await eventually(lambda: is_empty(rig))


async def is_empty(rig: Rig) -> bool:
    return not await numbers(rig)
