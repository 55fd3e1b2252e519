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


@rule("WHK-22", "WHK-23", "WHK-26", "EVT-16")
async def test_a_collections_webhook_hears_of_a_member_from_when_it_joins_until_it_leaves(api: Api) -> None:
    flow, multi = await words.make_flow(api), words.new_id()
    body: dict[str, object] = {"id": multi, "source_id": words.new_id(), "format": "urn:x-nmos:format:multi"}
    await api.put(f"/flows/{multi}", body, expect=201)
    joined: list[str] = []
    async with receiver() as receiving:
        asked: dict[str, dict[str, object]] = {
            "by-flow": {"flow_collected_by_ids": [multi]},
            "by-source": {"source_collected_by_ids": [body["source_id"]]},
            "no-flow": {"flow_collected_by_ids": [], "flow_ids": [flow]},
            "no-source": {"source_collected_by_ids": [], "flow_ids": [flow]},
        }
        hooks = [
            {"url": receiving.at(f"/{name}").url, "events": ["flows/segments_added"]} | filters
            for name, filters in asked.items()
        ]
        webhooks = [(await api.post("/service/webhooks", hook)).json()["id"] for hook in hooks]
        alone = await words.fill(api, flow, count=1)
        for start in (2, 4):
            await api.put(f"/flows/{multi}/flow_collection", [{"id": flow, "role": "video"}])
            joined += await words.fill(api, flow, count=1, start=start)
            await api.delete(f"/flows/{multi}/flow_collection")
            alone += await words.fill(api, flow, count=1, start=10 + start)

        def heard() -> list[list[str]]:
            bodies = [
                [request.json()["event"]["segments"] for request in receiving.at(f"/{name}").accepted] for name in asked
            ]
            return [[segment["object_id"] for segments in each for segment in segments] for each in bodies]

        expected = [joined, joined, alone, alone]
        await eventually(lambda: [len(each) for each in heard()] == [len(each) for each in expected])
        assert heard() == expected
        for webhook in webhooks:
            await api.delete(f"/service/webhooks/{webhook}")
