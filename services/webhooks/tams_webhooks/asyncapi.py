"""The events on Kafka as an AsyncAPI 3 document, made from the types of the events and the declared topics."""

import re
from collections.abc import Sequence
from typing import Final, TypeAlias, get_args

import msgspec

from tams_common.bus import Access
from tams_common.events import (
    FLOWS,
    SEGMENTS,
    SOURCES,
    TOPICS,
    Event,
    FlowCreated,
    FlowDeleted,
    FlowUpdated,
    SegmentsAdded,
    SegmentsDeleted,
    SourceCreated,
    SourceDeleted,
    SourceUpdated,
    Topic,
    event_type,
)

Document: TypeAlias = dict[str, object]
Kinds: TypeAlias = tuple[type[Event], ...]

VERSION: Final = "3.0.0"
TAMS: Final = "https://github.com/bbc/tams"

CARRIED: Final[dict[str, Kinds]] = {
    FLOWS: (FlowCreated, FlowUpdated, FlowDeleted),
    SOURCES: (SourceCreated, SourceUpdated, SourceDeleted),
    SEGMENTS: (SegmentsAdded, SegmentsDeleted),
}
"""Which events each topic carries."""

HEADERS: Final = {
    "ce_specversion": "The version of CloudEvents: 1.0.",
    "ce_id": "Names the event for ever. A repeated record has the same one.",
    "ce_type": "The event_type of the body.",
    "ce_source": "The topic as a path.",
    "ce_time": "When it happened: the event_timestamp of the body.",
    "ce_subject": "The flow or source that the event is about: the record's key.",
    "ce_at": "When it happened, in nanoseconds since 1970; rises with every event of a key.",
    "content-type": "The type of the body: application/json.",
}
EXTENSIONS: Final = {
    "ce_flowid": "The flow.",
    "ce_sourceid": "The source, of a flow or of itself.",
    "ce_flowcollectedby": "The flows that collect the flow, separated by commas.",
    "ce_sourcecollectedby": "The sources that collect the source, separated by commas.",
    "ce_incarnation": "Tells a flow from an earlier one of the same id.",
    "ce_extent": "The timerange of all segments of the flow after the change.",
    "ce_floor": "No event of the topic from before this moment (nanoseconds since 1970) comes again.",
}
"""Headers that an event has where they say something about it."""

_DESCRIPTION: Final = """\
Every change of this Time-addressable Media Store is an event. Records are CloudEvents 1.0 in binary mode: attributes in
headers, the specification's event as the body. Events of a key are in order within their topic; between topics there is
no order. A record may come twice, with the same `ce_id`. The same events come by webhook and by `GET /events`."""
_SASL: Final = {"PLAIN": "plain", "SCRAM-SHA-256": "scramSha256", "SCRAM-SHA-512": "scramSha512"}
_CLAUSE: Final = re.compile(r" \(EVT-\d+\)")


def document(version: str, access: Access | None) -> Document:
    """The document of release `version`. `access` says where the cluster is; without it others cannot reach the bus."""
    described: Document = {
        "asyncapi": VERSION,
        "info": {
            "title": "Events of a Time-addressable Media Store",
            "version": version,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0"},
            "externalDocs": {"url": TAMS, "description": "The specification"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic, access) for topic in TOPICS},
        "operations": {f"send-{topic.name}": _operation(topic.name) for topic in TOPICS},
        "components": _components(access),
    }
    return described | ({"servers": _servers(access)} if access else {})


def _servers(access: Access) -> Document:
    server: Document = {"protocol": "kafka-secure" if access.tls else "kafka"}
    if access.mechanism:
        server["security"] = [_reference("securitySchemes", "sasl")]
    return {f"kafka{number}": {"host": host} | server for number, host in enumerate(access.servers, start=1)}


def _channel(topic: Topic, access: Access | None) -> Document:
    retention = -1 if topic.retention_hours is None else topic.retention_hours * 3_600_000
    return {
        "address": f"{access.prefix if access else ''}{topic.name}",
        "messages": {kind.__name__: _reference("messages", kind.__name__) for kind in CARRIED[topic.name]},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": retention},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(channel: str) -> Document:
    messages = [{"$ref": f"#/channels/{channel}/messages/{kind.__name__}"} for kind in CARRIED[channel]]
    return {"action": "send", "channel": {"$ref": f"#/channels/{channel}"}, "messages": messages}


def _components(access: Access | None) -> Document:
    kinds: Sequence[type[Event]] = get_args(Event)
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    components: Document = {
        "schemas": {name: _without_clause(schema) for name, schema in schemas.items()},
        "messages": {kind.__name__: _message(kind) for kind in kinds},
    }
    if access and access.mechanism:
        components["securitySchemes"] = {"sasl": {"type": _SASL[access.mechanism]}}
    return components


def _message(kind: type[Event]) -> Document:
    return {
        "name": event_type(kind),
        "title": event_type(kind),
        "summary": _CLAUSE.sub("", kind.__doc__ or ""),
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "properties": {
                name: {"type": "string", "description": text} for name, text in (HEADERS | EXTENSIONS).items()
            },
            "required": list(HEADERS),
        },
        "payload": _reference("schemas", kind.__name__),
        "bindings": {
            "kafka": {"key": {"type": "string", "description": HEADERS["ce_subject"]}, "bindingVersion": "0.5.0"}
        },
    }


def _without_clause(schema: Document) -> Document:
    text = schema.get("description")
    return schema | {"description": _CLAUSE.sub("", text)} if isinstance(text, str) else schema


def _reference(group: str, name: str) -> Document:
    return {"$ref": f"#/components/{group}/{name}"}
