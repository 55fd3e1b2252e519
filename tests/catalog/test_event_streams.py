"""What `/service` says of the ways to follow the store (SVC-6)."""

import msgspec

from tams_catalog.event_streams import mechanisms
from tams_common.bus import Access
from tams_common.http.codec import encode_json
from tests.catalog.conftest import House
from tests.common.http_client import BASE_URL
from tests.conformance import rule
from tests.spec import Spec


@rule("WHK-1", "SVC-6")
async def test_webhooks_and_the_live_stream_are_listed(house: House, spec: Spec) -> None:
    document = (await house.client.get("/service")).json()
    spec.schema("service").validate(document)
    listed = {item["name"]: item for item in document["event_stream_mechanisms"]}
    assert list(listed) == ["webhooks", "events"], "the embedded bus is for our own processes"
    assert listed["events"]["config"] == {"url": f"{BASE_URL}/events"}
    assert all(item["docs"].startswith(BASE_URL) for item in listed.values())


async def test_they_stay_listed_when_the_service_is_changed(house: House) -> None:
    before = (await house.client.get("/service")).json()["event_stream_mechanisms"]
    await house.client.post("/service", {"name": "other"}, expect=200)
    assert (await house.client.get("/service")).json()["event_stream_mechanisms"] == before


@rule("SVC-6")
def test_kafka_is_listed_with_what_a_consumer_needs_and_no_secret(spec: Spec) -> None:
    access = Access(("a:9092", "b:9093"), prefix="one.", tls=True, mechanism="SCRAM-SHA-512")
    listed = msgspec.json.decode(encode_json(mechanisms(access, BASE_URL)))
    for item in listed:
        spec.schema("event-stream-common").validate(item)
    names = [item["name"] for item in listed]
    assert names == ["webhooks", "kafka", "events"]
    assert listed[1] == {
        "name": "kafka",
        "docs": f"{BASE_URL}/asyncapi.json",
        "config": {
            "bootstrap_servers": ["a:9092", "b:9093"],
            "topics": ["one.tams.flows", "one.tams.sources", "one.tams.segments"],
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "cloudevents": "binary",
        },
    }


def test_a_plain_cluster_says_so(spec: Spec) -> None:
    kafka = msgspec.json.decode(encode_json(mechanisms(Access(("a:9092",)), BASE_URL)))[1]
    spec.schema("event-stream-common").validate(kafka)
    assert kafka["config"]["security_protocol"] == "PLAINTEXT"
    assert "sasl_mechanism" not in kafka["config"]
