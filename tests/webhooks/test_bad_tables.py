"""Deliveries while the tables are down, or lose the answers of commits."""

import random

from msgspec.structs import replace

from tams_common.store import Store
from tests.common.eventually import eventually
from tests.webhooks.faulty import FaultyStore
from tests.webhooks.receiver import Reply
from tests.webhooks.rig import CONFIG, flow_event, running
from tests.webhooks.words import assert_in_order, on_many_flows, parked


class Made:
    """Keeps the store that a rig was given."""

    store: FaultyStore

    def __call__(self, store: Store) -> Store:
        self.store = FaultyStore(store)
        return self.store


async def test_lost_answers_of_commits_repeat_nothing_in_the_tables() -> None:
    made = Made()
    async with running(replace(CONFIG, delays=",".join(["1"] * 40), lease=100_000), fault=made) as rig:
        luck = random.Random(5)
        endpoint = rig.receiver.at()
        endpoint.answer_by(lambda _: Reply(luck.choice((204, 204, 500))))
        webhook = await rig.register(endpoint.url)
        events = on_many_flows(200, flows=5)
        await rig.append(*events)
        made.store.loses = lambda count: count % 2 == 0
        async with rig.started():

            def all_came() -> bool:
                rig.clock.advance(seconds=1)
                return len(set(endpoint.ids)) == 200

            await eventually(all_came)
            await eventually(parked(rig, webhook, count=0))
            made.store.loses = lambda _: False
        assert_in_order(endpoint, events)
        noted = [(row.event_id, row.tries, row.outcome) for row in await rig.attempts(webhook)]
        assert len(noted) == len(set(noted)) == len(endpoint.received)


async def test_deliveries_go_on_when_the_tables_are_back() -> None:
    made = Made()
    async with running(fault=made) as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        first = flow_event(at=1)
        await rig.append(first)
        await eventually(lambda: endpoint.accepted)
        endpoint.hang()
        second = flow_event(at=2)
        await rig.append(second)
        await eventually(lambda: len(endpoint.received) == 2)
        made.store.is_down = True
        endpoint.release()
        await eventually(lambda: len(endpoint.accepted) == 2)
        made.store.is_down = False
        third = flow_event(at=3)
        await rig.append(third)
        await eventually(lambda: len(endpoint.accepted) == 3)
        await eventually(parked(rig, webhook, count=0))
        assert endpoint.ids == [first.id, second.id, third.id]
