"""The metrics of the event path: what waits, what has come in, what was set aside."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from tams_common.bus import Message
from tams_common.clock import ManualClock
from tams_common.errors import InvalidInput, Unavailable
from tams_common.events import SEGMENTS, Envelope
from tams_common.ids import new_id
from tams_common.inbox import Interest, Subscription
from tams_common.outbox import Relay
from tams_common.runtime.event_metrics import EventMetrics
from tams_common.store import Tx
from tests.common.bus.faulty import FaultyBus
from tests.common.eventually import eventually
from tests.common.ledger import opened, running


async def test_what_waits_in_an_outbox_shows_how_much_and_how_old() -> None:
    down = True

    async def refuse(messages: Sequence[Message]) -> Sequence[Message]:
        if down:
            raise Unavailable("the bus is down")
        return messages

    clock = ManualClock()
    async with opened(None, clock=clock) as ledger:
        relay = Relay(ledger.store, FaultyBus(ledger.bus, before=refuse), clock=clock, new_id=new_id)
        registry = CollectorRegistry()
        EventMetrics(registry, {"ledger": [relay]}, clock=clock)

        def shown() -> tuple[float | None, float | None]:
            service = {"service": "ledger"}
            rows = registry.get_sample_value("tams_outbox_rows", service)
            return rows, registry.get_sample_value("tams_outbox_oldest_seconds", service)

        assert shown() == (0, 0)
        for _ in range(3):
            await ledger.step()
        clock.advance(seconds=7)
        async with running(relay.run):
            await eventually(lambda: shown() == (3, 7))
            down = False
            await eventually(lambda: shown() == (0, 0))


async def test_what_comes_in_shows_how_far_behind_it_is() -> None:
    answers = [Unavailable("down")]
    clock = ManualClock()

    def apply(tx: Tx, envelope: Envelope) -> None:
        if answers:
            raise answers[0]
        if b'"3"' in envelope.value:
            raise InvalidInput("three is none")

    async with opened(None, clock=clock) as ledger:
        relay = Relay(ledger.store, ledger.bus, clock=clock, new_id=new_id)
        interest = Interest("tams.copy", (SEGMENTS,), apply)
        subscription = Subscription(ledger.store, ledger.bus, interest=interest, clock=clock)
        registry = CollectorRegistry()
        EventMetrics(registry, {"ledger": [relay, subscription]}, clock=clock)

        def shown(name: str) -> float | None:
            return registry.get_sample_value(name, {"group": "tams.copy"})

        for _ in range(4):
            await ledger.step()
        await relay.sweep()
        clock.advance(seconds=9)
        async with running(subscription.run):
            await eventually(lambda: shown("tams_inbox_lag_seconds") == 9)
            assert shown("tams_inbox_applied_total") == 0
            answers.clear()
            await eventually(lambda: shown("tams_inbox_lag_seconds") == 0)
            assert shown("tams_inbox_applied_total") == 4
            assert shown("tams_inbox_dead_total") == 1
