"""A dead webhook costs a cursor and its waiting flows, however much is pending for it."""

from msgspec.structs import replace

from tams_common.ids import EventId, FlowId
from tams_common.store import Tx
from tams_webhooks.log import head_of
from tams_webhooks.tables import ATTEMPTS, EVENT_LOG, LANES, LOG_HEADS, PARKED, REPLAYS, THE_LOG, LogHead, LogRow
from tests.common.eventually import eventually
from tests.stores import VAST
from tests.webhooks.rig import CONFIG, Rig, flow_event, running
from tests.webhooks.words import parked, reached

PENDING = 100_000 if VAST else 1_000_000
FLOWS = 50
_STEP = 50_000


async def seed(rig: Rig, count: int) -> None:
    """Puts `count` events into the log, in turn on `FLOWS` flows, many in one transaction."""
    model = flow_event()
    flows = [FlowId(f"10000000-0000-4000-8000-{n:012}") for n in range(FLOWS)]

    def row(number: int) -> LogRow:
        flow = flows[number % FLOWS]
        return LogRow(
            THE_LOG,
            number,
            EventId(f"{number:036}"),
            number,
            rig.clock(),
            model.type,
            flow,
            flow,
            model.source_id,
            "",
            "",
            2,
            b"{}",
        )

    def write(tx: Tx) -> None:
        head = head_of(tx)
        moved = LogHead(THE_LOG, head.next + _STEP, head.oldest, head.version + 1)
        tx.insert(EVENT_LOG, [row(number) for number in range(head.next, moved.next)])
        if head.version:
            tx.update(LOG_HEADS, [moved], expect=[head.version])
        else:
            tx.insert(LOG_HEADS, [moved])

    for _ in range(count // _STEP):
        await rig.store.run(write)


async def rows_of_deliveries(rig: Rig) -> dict[str, int]:
    """How many rows there are for deliveries."""
    found = {table.name: table.rows for table in await rig.store.status()}
    return {table.name: found[table.name] for table in (LANES, PARKED, ATTEMPTS, REPLAYS)}


async def test_a_million_pending_events_add_no_rows() -> None:
    config = replace(CONFIG, log_hours=10_000)
    async with running(config) as rig, rig.started():
        dead, live = rig.receiver.at("/dead"), rig.receiver.at("/live")
        dead.answer(500)
        webhook = await rig.register(dead.url)
        await rig.register(live.url, events=["sources/updated"])
        await seed(rig, _STEP)
        await eventually(parked(rig, webhook, count=FLOWS))
        await eventually(reached(rig, webhook, number=_STEP), patience=300)
        before = await rows_of_deliveries(rig)
        assert before == {"lanes": 2, "parked": FLOWS, "attempts": FLOWS, "replays": 0}
        await seed(rig, PENDING - _STEP)
        await eventually(reached(rig, webhook, number=PENDING), patience=300)
        assert await rows_of_deliveries(rig) == before
        assert len(dead.received) == FLOWS
        dead.answer(204)
        rig.clock.advance(seconds=6)
        await eventually(lambda: len(dead.accepted) >= 1000)
        for flow in range(3):
            numbers = [number for number in map(int, dead.ids) if number % FLOWS == flow]
            assert numbers[:2] == [flow or FLOWS, (flow or FLOWS) + FLOWS]
            assert numbers == sorted(numbers)
