"""The AsyncAPI document: whole, consistent in itself, and about the records that are really sent."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import CalledProcessError, run
from typing import Any, get_args

import msgspec
import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from tams_common import events
from tams_common.bus import Access
from tams_common.bus.cloudevents import to_message
from tams_common.events import TOPICS, Draft, Event, Subject
from tams_common.ids import EventId, FlowId, Incarnation, SourceId
from tams_webhooks.asyncapi import CARRIED, EXTENSIONS, HEADERS, document

SUBJECT = Subject(
    flow_id=FlowId("f"),
    source_id=SourceId("s"),
    flow_collected_by=(FlowId("g"), FlowId("h")),
    source_collected_by=(SourceId("t"),),
    incarnation=Incarnation("i"),
    extent="[0:0_1:0)",
)
DRAFTS = [
    events.flow_created(b'{"id":"f"}', SUBJECT),
    events.flow_updated(b'{"id":"f"}', SUBJECT),
    events.flow_deleted(SUBJECT),
    *events.segments_added([b'{"object_id":"o"}'], SUBJECT),
    events.segments_deleted("[0:0_1:0)", SUBJECT),
    events.source_created(b'{"id":"s"}', SUBJECT),
    events.source_updated(b'{"id":"s"}', SUBJECT),
    events.source_deleted(SUBJECT),
]
OPEN = Access(("a:9092", "b:9092"), "", tls=False, mechanism="")
GUARDED = Access(("a:9092",), "live.", tls=True, mechanism="SCRAM-SHA-512")
SPECS = "@asyncapi/specs@6.11.1"
"""The package of the npm registry in which AsyncAPI publishes its JSON schemas."""


@pytest.fixture(scope="session")
def asyncapi(tmp_path_factory: pytest.TempPathFactory) -> Draft7Validator:
    """AsyncAPI's own schema, of which the project holds no copy; where npm cannot bring it the tests are skipped."""
    try:
        return Draft7Validator(msgspec.json.decode(_schema(tmp_path_factory.mktemp("asyncapi"))))
    except (OSError, CalledProcessError) as error:
        pytest.skip(f"`npm pack {SPECS}` could not bring AsyncAPI's JSON schema: {error}")


def _schema(folder: Path) -> bytes:
    # Where a network swallows what is sent, npm would try for a quarter of an hour.
    once = ("--fetch-retries=0", "--fetch-timeout=20000")
    run(["npm", "pack", "--silent", *once, SPECS], cwd=folder, check=True, capture_output=True)
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as packed:
        member = packed.extractfile("package/schemas/3.0.0.json")
        assert member is not None
        return member.read()


def made(access: Access | None = None) -> Any:  # noqa: ANN401 — tests index freely
    """The document as clients get it."""
    return msgspec.json.decode(msgspec.json.encode(document("1.2.3", access)))


def references(value: object) -> Iterator[str]:
    """Every `$ref` below `value`."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def resolve(whole: Any, reference: str) -> Any:  # noqa: ANN401
    """What `reference` points at."""
    assert reference.startswith("#/"), reference
    found = whole
    for part in reference[2:].split("/"):
        found = found[part]
    return found


@pytest.mark.parametrize("access", [None, OPEN, GUARDED], ids=["embedded", "open", "guarded"])
def test_it_is_valid_by_the_schema_of_asyncapi(asyncapi: Draft7Validator, access: Access | None) -> None:
    whole = made(access)
    asyncapi.validate(whole)
    whole["operations"]["send-tams.flows"]["action"] = "shout"
    assert not asyncapi.is_valid(whole)


@pytest.mark.parametrize("access", [None, OPEN, GUARDED], ids=["embedded", "open", "guarded"])
def test_every_reference_leads_somewhere(access: Access | None) -> None:
    whole = made(access)
    assert whole["asyncapi"] == "3.0.0"
    assert whole["info"]["version"] == "1.2.3"
    found = list(references(whole))
    assert len(found) > 30
    for reference in found:
        resolve(whole, reference)


def test_every_event_is_carried_by_one_topic() -> None:
    assert sorted(CARRIED) == sorted(topic.name for topic in TOPICS)
    carried = [kind for kinds in CARRIED.values() for kind in kinds]
    assert sorted(carried, key=str) == sorted(get_args(Event), key=str)


@pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.type)
def test_what_is_sent_is_what_is_described(draft: Draft) -> None:
    whole = made()
    envelope = draft.seal(id=EventId("e"), at=1_700_000_000_000_000_000)
    channel = whole["channels"][draft.topic]
    (message,) = [
        message
        for message in (resolve(whole, resolve(whole, each["$ref"])["$ref"]) for each in sent_by(whole, draft.topic))
        if message["name"] == draft.type
    ]
    assert channel["address"] == draft.topic
    assert message["summary"].endswith((".", "order."))
    assert "EVT-" not in message["summary"]
    validate(whole, message["payload"], value=msgspec.json.decode(envelope.value))
    headers = {"ce_id": "e", **to_message(envelope, floor=1).headers}
    validate(whole, message["headers"], value=headers)
    assert set(headers) == set(HEADERS) | set(EXTENSIONS)


def sent_by(whole: Any, topic: str) -> list[dict[str, str]]:  # noqa: ANN401
    """References to the messages that the store sends on `topic`."""
    operation = whole["operations"][f"send-{topic}"]
    assert operation["action"] == "send"
    assert operation["channel"] == {"$ref": f"#/channels/{topic}"}
    messages: list[dict[str, str]] = operation["messages"]
    return messages


def validate(whole: Any, schema: dict[str, object], *, value: object) -> None:  # noqa: ANN401
    """Holds `value` against a schema of the document."""
    Draft202012Validator({**schema, "components": whole["components"]}).validate(value)


def test_required_headers_are_those_that_every_event_has() -> None:
    bare = events.source_deleted(Subject(source_id=SourceId("s"))).seal(id=EventId("e"), at=0)
    whole = made()
    message = whole["components"]["messages"]["SourceDeleted"]
    assert set(message["headers"]["required"]) == {"ce_id", *to_message(bare).headers} - {"ce_sourceid"}


def test_topics_are_as_they_are_declared() -> None:
    for topic in TOPICS:
        kafka = made()["channels"][topic.name]["bindings"]["kafka"]
        assert kafka["partitions"] == topic.partitions
        assert kafka["topicConfiguration"] == {"cleanup.policy": ["delete"], "retention.ms": 7 * 24 * 3600 * 1000}


def test_servers_are_told_where_others_can_reach_them() -> None:
    assert "servers" not in made()
    assert made(OPEN)["servers"] == {
        "kafka1": {"host": "a:9092", "protocol": "kafka"},
        "kafka2": {"host": "b:9092", "protocol": "kafka"},
    }
    guarded = made(GUARDED)
    (server,) = guarded["servers"].values()
    assert server["protocol"] == "kafka-secure"
    assert resolve(guarded, server["security"][0]["$ref"]) == {"type": "scramSha512"}
    assert guarded["channels"]["tams.flows"]["address"] == "live.tams.flows"
