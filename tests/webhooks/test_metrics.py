"""What operators see of deliveries: attempts, their latency, and how far behind they are."""

from msgspec.structs import replace
from prometheus_client import generate_latest

from tams_common.clock import SECOND
from tams_webhooks.tables import AttemptRow, Outcome
from tams_webhooks.tally import Tally
from tests.common.eventually import eventually
from tests.webhooks.receiver import Reply
from tests.webhooks.rig import CONFIG, FLOW, OTHER_FLOW, Rig, flow_event, running
from tests.webhooks.words import Check, attempted, parked, reached


def value(rig: Rig, name: str, **labels: str) -> float:
    """A sample."""
    found = rig.parts.registry.get_sample_value(name, labels)
    assert found is not None
    return found


def sample(rig: Rig, name: str, *, is_: float, **labels: str) -> Check:
    """Whether the sample has this value."""

    async def check() -> bool:
        return value(rig, name, **labels) == is_

    return check


async def test_attempts_are_counted_and_measured() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        endpoint.answer_by(lambda request: Reply(500 if FLOW.encode() in request.body else 204))
        webhook = await rig.register(endpoint.url)
        await rig.append(flow_event(), flow_event(OTHER_FLOW), flow_event(OTHER_FLOW))
        await eventually(attempted(rig, webhook, count=3))
        await eventually(sample(rig, "tams_webhook_attempt_seconds_count", is_=3))
        outcomes = {"delivered": 2, "retrying": 1, "failed": 0}
        assert {name: value(rig, "tams_webhook_attempts_total", outcome=name) for name in outcomes} == outcomes
        latency = sum(attempt.latency for attempt in await rig.attempts(webhook)) / SECOND
        assert abs(value(rig, "tams_webhook_attempt_seconds_sum") - latency) < 1e-9
        assert value(rig, "tams_webhook_attempt_seconds_bucket", le="20.0") == 3
        assert webhook not in generate_latest(rig.parts.registry).decode()


def test_attempts_fall_into_buckets_and_notes_do_not() -> None:
    def attempt(latency: float, outcome: Outcome = "delivered") -> AttemptRow:
        return AttemptRow(
            webhook_id="",
            at=1,
            number=1,
            event_id="",
            event_type="",
            key="",
            tries=1,
            outcome=outcome,
            status=None,
            latency=int(latency * SECOND),
            error="",
            due=0,
        )

    tally = Tally()
    tally.count([attempt(0.005), attempt(0.006), attempt(15), attempt(30), attempt(0, "skipped")])
    assert tally.buckets == [1, 1, *[0] * 9, 1, 1]
    assert tally.outcomes == {"delivered": 4}


async def test_what_waits_is_as_old_as_its_oldest_event() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        await eventually(sample(rig, "tams_webhooks", is_=1, status="started"))
        assert value(rig, "tams_webhooks", status="error") == 0
        assert value(rig, "tams_webhook_lag_seconds") == value(rig, "tams_webhook_parked") == 0
        endpoint.hang()
        await rig.append(flow_event())
        await eventually(lambda: endpoint.received)
        rig.clock.advance(seconds=2)
        assert value(rig, "tams_webhook_lag_seconds") == 2
        endpoint.answer(500)
        endpoint.release()
        await eventually(attempted(rig, webhook, count=1))
        await eventually(sample(rig, "tams_webhook_parked", is_=1))
        await rig.append(flow_event())
        await eventually(reached(rig, webhook, number=2))
        rig.clock.advance(seconds=1)
        assert value(rig, "tams_webhook_lag_seconds") == 3
        endpoint.answer(204)
        rig.clock.advance(seconds=6)
        await eventually(parked(rig, webhook, count=0))
        await eventually(sample(rig, "tams_webhook_lag_seconds", is_=0))
        assert value(rig, "tams_webhook_parked") == 0


async def test_what_a_lane_may_not_look_at_yet_counts_too() -> None:
    async with running(replace(CONFIG, delays="")) as rig, rig.started():
        endpoint = rig.receiver.at()
        endpoint.answer(503, retry_after="1000")
        webhook = await rig.register(endpoint.url)
        await rig.append(flow_event())
        await eventually(attempted(rig, webhook, count=1))
        assert await rig.parked(webhook) == []
        await rig.append(flow_event())
        rig.clock.advance(seconds=100)
        await eventually(sample(rig, "tams_webhook_lag_seconds", is_=100))
        endpoint.answer(204)
        rig.clock.advance(seconds=900)
        await eventually(sample(rig, "tams_webhook_lag_seconds", is_=0))
        assert len(endpoint.accepted) == 1
