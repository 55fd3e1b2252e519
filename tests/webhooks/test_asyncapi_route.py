"""`/asyncapi.json` as it is asked for."""

from tams_common.events import TOPICS
from tests.webhooks.rig import running


async def test_the_document_describes_the_topics_and_can_be_kept() -> None:
    async with running() as rig:
        answer = await rig.client.get("/asyncapi.json")
        assert answer.headers["content-type"] == "application/json"
        document = answer.json()
        assert document["asyncapi"].startswith("3.")
        assert [channel["address"] for channel in document["channels"].values()] == [topic.name for topic in TOPICS]
        assert "servers" not in document, "nobody else reaches the embedded bus"
        await rig.client.get("/asyncapi.json", headers={"if-none-match": answer.headers["etag"]}, expect=304)
        await rig.client.head("/asyncapi.json")
