"""Deliveries of a running store, on every assembly: what a receiver is told is enough to fetch the media."""

import pytest

from tests.common.eventually import eventually
from tests.conformance import rule
from tests.system import words
from tests.system.api import Api
from tests.webhooks.receiver import receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")


@rule("EVT-11")
async def test_the_urls_of_a_delivery_lead_to_the_bytes(api: Api) -> None:
    media = words.new_id().encode() * 1000
    async with receiver() as receiving:
        endpoint = receiving.at("/hook")
        hook = {"url": endpoint.url, "events": ["flows/segments_added"]}
        webhook = (await api.post("/service/webhooks", hook)).json()
        flow = await words.make_flow(api)
        (item,) = await words.allocate(api, flow, count=1)
        await api.upload(item["put_url"], media)
        await api.post(f"/flows/{flow}/segments", words.segment(item["object_id"], 0, end=1))
        await eventually(lambda: endpoint.accepted)
        (segment,) = endpoint.accepted[0].json()["event"]["segments"]
        assert segment["object_id"] == item["object_id"]
        assert segment["get_urls"]
        for url in segment["get_urls"]:
            assert (await api.download(url["url"])).body == media
        await api.delete(f"/service/webhooks/{webhook['id']}")
