"""What tests of deliveries wait for."""

from collections.abc import Awaitable, Callable, Sequence

from tams_common.events import Envelope
from tams_common.ids import FlowId, new_id
from tests.webhooks.receiver import Endpoint
from tests.webhooks.rig import Rig, flow_event

Check = Callable[[], Awaitable[bool]]


def on_many_flows(count: int, *, flows: int = 10) -> list[Envelope]:
    """`count` events, in turn on `flows` flows."""
    ids = [FlowId(new_id()) for _ in range(flows)]
    return [flow_event(ids[n % flows], at=n + 1, label=str(n)) for n in range(count)]


def assert_in_order(endpoint: Endpoint, events: Sequence[Envelope]) -> None:
    """Every event has been accepted, and the first copies of each key in its order."""
    assert_ids_in_order(endpoint.ids, events)


def assert_ids_in_order(ids: Sequence[str], events: Sequence[Envelope]) -> None:
    """`ids` are those of all `events`, some more than once, and the first ones of each key in its order."""
    firsts = list(dict.fromkeys(ids))
    assert set(firsts) == {event.id for event in events}
    keys: dict[str, str] = {event.id: event.key for event in events}
    for key in set(keys.values()):
        assert [id for id in firsts if keys[id] == key] == [event.id for event in events if event.key == key]


def parked(rig: Rig, webhook: str, *, count: int) -> Check:
    """Whether so many flows wait."""

    async def check() -> bool:
        return (await rig.lane(webhook)).parked == count == len(await rig.parked(webhook))

    return check


def status(rig: Rig, webhook: str, *, is_: str) -> Check:
    """Whether the webhook has this status."""

    async def check() -> bool:
        return (await rig.webhook(webhook)).status == is_

    return check


def attempted(rig: Rig, webhook: str, *, count: int) -> Check:
    """Whether at least so many attempts are written down."""

    async def check() -> bool:
        return len(await rig.attempts(webhook)) >= count

    return check


def tried(rig: Rig, webhook: str, *, event: Envelope) -> Check:
    """Whether an attempt with `event` is written down."""

    async def check() -> bool:
        return event.id in [id for id, _ in await rig.outcomes(webhook)]

    return check


def released(rig: Rig, webhook: str) -> Check:
    """Whether no replica has the lane."""

    async def check() -> bool:
        return (await rig.lane(webhook)).owner == ""

    return check


def reached(rig: Rig, webhook: str, *, number: int) -> Check:
    """Whether the stored cursor is at `number`."""

    async def check() -> bool:
        return (await rig.lane(webhook)).cursor == number

    return check
