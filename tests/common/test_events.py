"""The eight events: their exact shape, their size, and the way through a message and back."""

import json
from datetime import UTC, datetime

import msgspec
import pytest

from tams_common import events
from tams_common.bus import Partition, Record
from tams_common.bus.cloudevents import floor_of, from_record, to_message
from tams_common.errors import InvalidInput
from tams_common.events import Draft, Envelope, Subject
from tams_common.ids import EventId, FlowId, Incarnation, SourceId
from tests.conformance import rule

FLOW = FlowId("0a7b1c2d-0000-4000-8000-000000000001")
SOURCE = SourceId("0a7b1c2d-0000-4000-8000-000000000002")
MULTI = FlowId("0a7b1c2d-0000-4000-8000-000000000003")
PROGRAMME = SourceId("0a7b1c2d-0000-4000-8000-000000000004")
SUBJECT = Subject(
    flow_id=FLOW,
    source_id=SOURCE,
    flow_collected_by=(MULTI, FlowId("0a7b1c2d-0000-4000-8000-000000000005")),
    source_collected_by=(PROGRAMME,),
    incarnation=Incarnation("i-1"),
)
AT = 1_700_000_000_123_456_789
FLOW_JSON = b'{"id":"0a7b1c2d-0000-4000-8000-000000000001",  "label":"Kamera \xc3\xbc"}'
SOURCE_JSON = b'{"id":"0a7b1c2d-0000-4000-8000-000000000002","format":"urn:x-nmos:format:video"}'


def seal(draft: Draft, at: int = AT) -> Envelope:
    return draft.seal(id=EventId("e-1"), at=at)


ALL = [
    (events.flow_created(FLOW_JSON, SUBJECT), "flows/created", "tams.flows", {"flow": json.loads(FLOW_JSON)}),
    (events.flow_updated(FLOW_JSON, SUBJECT), "flows/updated", "tams.flows", {"flow": json.loads(FLOW_JSON)}),
    (events.flow_deleted(SUBJECT), "flows/deleted", "tams.flows", {"flow_id": FLOW}),
    (
        events.segments_added([b'{"object_id":"a"}', b'{"object_id":"b"}'], SUBJECT)[0],
        "flows/segments_added",
        "tams.segments",
        {"flow_id": FLOW, "segments": [{"object_id": "a"}, {"object_id": "b"}]},
    ),
    (
        events.segments_deleted("[0:0_10:0)", SUBJECT),
        "flows/segments_deleted",
        "tams.segments",
        {"flow_id": FLOW, "timerange": "[0:0_10:0)"},
    ),
    (
        events.source_created(SOURCE_JSON, SUBJECT),
        "sources/created",
        "tams.sources",
        {"source": json.loads(SOURCE_JSON)},
    ),
    (
        events.source_updated(SOURCE_JSON, SUBJECT),
        "sources/updated",
        "tams.sources",
        {"source": json.loads(SOURCE_JSON)},
    ),
    (events.source_deleted(SUBJECT), "sources/deleted", "tams.sources", {"source_id": SOURCE}),
]
each_event = pytest.mark.parametrize(("draft", "kind", "topic", "body"), ALL, ids=[kind for _, kind, _, _ in ALL])


@rule("EVT-1", "EVT-2", "EVT-3", "EVT-4", "EVT-5", "EVT-6", "EVT-7", "EVT-8", "EVT-9")
@each_event
def test_an_event_is_the_specifications_json(draft: Draft, kind: str, topic: str, body: object) -> None:  # EVT-1 to 9
    envelope = seal(draft)
    assert json.loads(envelope.value) == {
        "event_timestamp": "2023-11-14T22:13:20.123456Z",
        "event_type": kind,
        "event": body,
    }
    assert (envelope.type, envelope.topic) == (kind, topic)
    assert envelope.key == (SOURCE if topic == "tams.sources" else FLOW)


@each_event
def test_what_is_decoded_encodes_to_the_same_again(draft: Draft, kind: str, topic: str, body: object) -> None:
    envelope = seal(draft)
    event = envelope.event()
    assert events.event_type(type(event)) == kind
    assert json.loads(msgspec.json.encode(event)) == json.loads(envelope.value)


@each_event
def test_an_envelope_survives_its_message(draft: Draft, kind: str, topic: str, body: object) -> None:
    envelope = seal(draft)
    message = to_message(envelope)
    record = Record(Partition(message.topic, 3), 17, message.key, message.id, message.value, message.headers)
    assert from_record(record) == envelope


def test_a_message_carries_cloudevents_attributes() -> None:
    message = to_message(seal(events.flow_created(FLOW_JSON, SUBJECT)))
    assert message.headers == {
        "ce_specversion": "1.0",
        "ce_type": "flows/created",
        "ce_source": "/tams/flows",
        "ce_time": "2023-11-14T22:13:20.123456Z",
        "ce_subject": FLOW,
        "ce_at": str(AT),
        "ce_flowid": FLOW,
        "ce_sourceid": SOURCE,
        "ce_flowcollectedby": f"{MULTI},0a7b1c2d-0000-4000-8000-000000000005",
        "ce_sourcecollectedby": PROGRAMME,
        "ce_incarnation": "i-1",
        "content-type": "application/json",
    }


def test_absent_attributes_have_no_header_and_come_back_absent() -> None:
    envelope = seal(events.source_deleted(Subject(source_id=SOURCE)))
    message = to_message(envelope)
    assert not {"ce_flowid", "ce_flowcollectedby", "ce_sourcecollectedby", "ce_incarnation"} & set(message.headers)
    assert (
        from_record(Record(Partition("tams.sources", 0), 0, SOURCE, "e-1", message.value, message.headers)) == envelope
    )


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("ce_type", None),
        ("ce_at", None),
        ("ce_at", "soon"),
        ("ce_at", "-1"),
        ("ce_at", "²"),
        ("ce_at", str(2**63)),
        ("ce_at", "9" * 5000),
    ],
)
def test_a_record_without_an_envelopes_headers_is_no_envelope(header: str, value: str | None) -> None:
    message = to_message(seal(events.flow_deleted(SUBJECT)))
    headers = {name: text for name, text in message.headers.items() if name != header}
    if value is not None:
        headers[header] = value
    with pytest.raises(InvalidInput, match=header):
        from_record(Record(Partition("tams.flows", 0), 0, message.key, message.id, message.value, headers))


@pytest.mark.parametrize("event_id", ["", "x" * 257])
def test_a_record_without_a_reasonable_id_is_no_envelope(event_id: str) -> None:
    message = to_message(seal(events.flow_deleted(SUBJECT)))
    with pytest.raises(InvalidInput, match="id"):
        from_record(Record(Partition("tams.flows", 0), 0, message.key, event_id, message.value, message.headers))


@pytest.mark.parametrize("floor", ["", "soon", "-1", str(2**63), "9" * 5000])
def test_a_floor_that_is_no_moment_tells_nothing(floor: str) -> None:
    assert floor_of(Record(Partition("tams.flows", 0), 0, "", "e-1", b"", {"ce_floor": floor})) is None


def test_an_event_of_another_type_than_its_envelope_says_does_not_decode() -> None:
    envelope = msgspec.structs.replace(seal(events.flow_deleted(SUBJECT)), type="flows/created")
    with pytest.raises(msgspec.ValidationError, match="flows/deleted"):
        envelope.event()


def test_a_value_that_is_no_event_does_not_decode() -> None:
    draft = events.flow_deleted(SUBJECT)
    for broken in (b"", b"{}", b'{"event_type":"flows/burnt","event_timestamp":"","event":{}}'):
        envelope = msgspec.structs.replace(seal(draft), value=broken)
        with pytest.raises(msgspec.DecodeError):
            envelope.event()


def test_the_resource_stands_in_the_event_byte_for_byte() -> None:
    assert FLOW_JSON in seal(events.flow_created(FLOW_JSON, SUBJECT)).value


@rule("EVT-5")
def test_many_segments_make_many_events_in_order() -> None:  # EVT-5
    segments = [b'{"object_id":"%06d","timerange":"[%d:0_%d:0)"}' % (n, n, n + 1) for n in range(5000)]
    drafts = events.segments_added(segments, SUBJECT)
    values = [seal(draft).value for draft in drafts]
    assert all(len(value) <= events.EVENT_LIMIT for value in values)
    assert len(values) == -(-sum(map(len, values)) // events.EVENT_LIMIT), "no more events than needed"
    sent = [raw for value in values for raw in json.loads(value)["event"]["segments"]]
    assert sent == [json.loads(segment) for segment in segments]


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_segments_fill_an_event_to_the_brim(extra: int) -> None:
    segment = b'{"object_id":"%s"}' % (b"x" * (events.EVENT_LIMIT // 4 + extra))
    drafts = events.segments_added([segment] * 8, SUBJECT)
    assert all(len(seal(draft).value) <= events.EVENT_LIMIT for draft in drafts)
    assert sum(len(json.loads(seal(draft).value)["event"]["segments"]) for draft in drafts) == 8


@rule("EVT-18")
def test_no_segments_make_no_event() -> None:  # EVT-18
    assert events.segments_added([], SUBJECT) == []


def test_a_segment_too_large_for_any_event_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        events.segments_added([b"{}", b'"%s"' % (b"x" * events.EVENT_LIMIT)], SUBJECT)
    assert refused.value.field == "$[1]"


def test_a_flow_or_source_beyond_the_limit_is_refused() -> None:
    largest = b'"%s"' % (b"x" * (events.RESOURCE_LIMIT - 2))
    assert len(seal(events.flow_updated(largest, SUBJECT)).value) < 128 * 1024
    for make in (events.flow_created, events.flow_updated, events.source_created, events.source_updated):
        with pytest.raises(InvalidInput, match=str(events.RESOURCE_LIMIT)):
            make(largest + b" ", SUBJECT)


def test_an_event_names_what_it_is_about() -> None:
    with pytest.raises(TypeError):
        events.flow_deleted(Subject(source_id=SOURCE))
    with pytest.raises(TypeError):
        events.source_deleted(Subject(flow_id=FLOW))


@rule("EVT-1")
@pytest.mark.parametrize("at", [0, 1, 999, 1000, AT, 1_699_999_999_999_999_999])
def test_timestamps_are_read_by_common_parsers(at: int) -> None:  # EVT-1
    read = datetime.strptime(events.timestamp(at), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert int(read.timestamp()) * 1_000_000 + read.microsecond == at // 1000
