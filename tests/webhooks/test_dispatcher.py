"""Deliveries, seen from outside: what receivers get, and in which order."""

from tests.common.eventually import eventually
from tests.webhooks.rig import FLOW, OTHER_FLOW, flow_event, running, source_event


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
