"""The eight TAMS events and the envelope in which they travel (checklist EVT, architecture 4)."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec

from tams_common.clock import date_time
from tams_common.errors import InvalidInput
from tams_common.ids import EventId, FlowId, Incarnation, SourceId
from tams_common.timerange import NS


class Topic(msgspec.Struct, frozen=True):
    """A named log. `retention_hours` None keeps records for ever; the embedded bus always has one partition."""

    name: str
    partitions: int = 12
    retention_hours: int | None = 24 * 7


FLOWS: Final = "tams.flows"
SOURCES: Final = "tams.sources"
SEGMENTS: Final = "tams.segments"
TOPICS: Final = (Topic(FLOWS), Topic(SOURCES), Topic(SEGMENTS))


def dead_letters(group: str) -> Topic:
    """Where a group of consumers puts the events that it cannot apply; few, and kept until someone has looked."""
    return Topic(f"{group}.dead", partitions=1, retention_hours=None)


EVENT_LIMIT: Final = 64 * 1024
"""Bytes of one `flows/segments_added` value at most; more segments make more events."""
RESOURCE_LIMIT: Final = 100 * 1024
"""Bytes of a flow's or a source's JSON at most; a larger one is refused."""
_WRAPPING: Final = 256
"""Bytes kept free for what stands around the segments in a value; a test holds this against the real thing."""


class _Event(msgspec.Struct, frozen=True, tag_field="event_type"):
    event_timestamp: str


class FlowBody(msgspec.Struct, frozen=True):
    """The flow exactly as GET shows it."""

    flow: msgspec.Raw


class FlowIdBody(msgspec.Struct, frozen=True):
    """Which flow is gone."""

    flow_id: FlowId


class SegmentsBody(msgspec.Struct, frozen=True):
    """Segments as GET shows them, without URLs."""

    flow_id: FlowId
    segments: list[msgspec.Raw]


class RangeBody(msgspec.Struct, frozen=True):
    """A timerange that begins and ends within deleted segments (EVT-6)."""

    flow_id: FlowId
    timerange: str


class SourceBody(msgspec.Struct, frozen=True):
    """The source exactly as GET shows it."""

    source: msgspec.Raw


class SourceIdBody(msgspec.Struct, frozen=True):
    """Which source is gone."""

    source_id: SourceId


class FlowCreated(_Event, frozen=True, tag="flows/created"):
    """A flow has been created (EVT-2)."""

    event: FlowBody


class FlowUpdated(_Event, frozen=True, tag="flows/updated"):
    """A flow has changed; it is shown after the change (EVT-3)."""

    event: FlowBody


class FlowDeleted(_Event, frozen=True, tag="flows/deleted"):
    """A flow has been deleted, or its deletion has begun (EVT-4)."""

    event: FlowIdBody


class SegmentsAdded(_Event, frozen=True, tag="flows/segments_added"):
    """Segments have been added to a flow; many make several events, in order (EVT-5)."""

    event: SegmentsBody


class SegmentsDeleted(_Event, frozen=True, tag="flows/segments_deleted"):
    """Segments of a flow have been deleted (EVT-6)."""

    event: RangeBody


class SourceCreated(_Event, frozen=True, tag="sources/created"):
    """A source has been created, with its first flow (EVT-7)."""

    event: SourceBody


class SourceUpdated(_Event, frozen=True, tag="sources/updated"):
    """A source has changed; it is shown after the change (EVT-7)."""

    event: SourceBody


class SourceDeleted(_Event, frozen=True, tag="sources/deleted"):
    """A source has been deleted, with its last flow (EVT-8)."""

    event: SourceIdBody


Event: TypeAlias = (
    FlowCreated
    | FlowUpdated
    | FlowDeleted
    | SegmentsAdded
    | SegmentsDeleted
    | SourceCreated
    | SourceUpdated
    | SourceDeleted
)
_decoder: Final[msgspec.json.Decoder[Event]] = msgspec.json.Decoder(Event)


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What an event is about, for those who filter events without looking anything up (EVT-16).

    `flow_collected_by` are the flows that collect the flow, `source_collected_by` the sources that collect the source,
    as they were when the change was made. `incarnation` is the flow's: events of an older one are to be ignored.
    `extent` is the timerange of all the flow's segments after a change of them.
    """

    flow_id: FlowId | None = None
    source_id: SourceId | None = None
    flow_collected_by: tuple[FlowId, ...] = ()
    source_collected_by: tuple[SourceId, ...] = ()
    incarnation: Incarnation | None = None
    extent: str | None = None


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way: `value` is its JSON, `at` (ns) rises with every event of a key, `id` names it for ever."""

    id: EventId
    topic: str
    key: str
    at: int
    type: str
    value: bytes
    flow_id: FlowId | None = None
    source_id: SourceId | None = None
    flow_collected_by: tuple[FlowId, ...] = ()
    source_collected_by: tuple[SourceId, ...] = ()
    incarnation: Incarnation | None = None
    extent: str | None = None

    def event(self) -> Event:
        """The event in `value`; raises `msgspec.DecodeError` for anything else, and for one of another type than the
        envelope says."""
        event = _decoder.decode(self.value)
        found = event_type(type(event))
        if found != self.type:
            raise msgspec.ValidationError(f"the envelope says {self.type[:40]!r}, the event in it is {found}")
        return event


class Draft(msgspec.Struct, frozen=True):
    """An event before its transaction has given it a moment and an id; `body` is the JSON of its `event` member."""

    topic: str
    key: str
    type: str
    body: bytes
    subject: Subject

    def seal(self, *, id: EventId, at: int) -> Envelope:
        """The event that happened `at` (ns)."""
        head = f'{{"event_type":"{self.type}","event_timestamp":"{timestamp(at)}","event":'.encode()
        return Envelope(
            id=id,
            topic=self.topic,
            key=self.key,
            at=at,
            type=self.type,
            value=b"".join((head, self.body, b"}")),
            flow_id=self.subject.flow_id,
            source_id=self.subject.source_id,
            flow_collected_by=self.subject.flow_collected_by,
            source_collected_by=self.subject.source_collected_by,
            incarnation=self.subject.incarnation,
            extent=self.subject.extent,
        )


def timestamp(ns: int) -> str:
    """RFC 3339 with microseconds and `Z`, as many digits as the parsers of receivers take (EVT-1)."""
    return f"{date_time(ns)[:-1]}.{ns % NS // 1000:06d}Z"


def flow_created(flow_json: bytes, subject: Subject) -> Draft:
    """`flows/created`; `flow_json` is the very JSON of GET. Raises `InvalidInput` beyond `RESOURCE_LIMIT`."""
    return _draft(FlowCreated, _wrapped("flow", flow_json), topic=FLOWS, subject=subject)


def flow_updated(flow_json: bytes, subject: Subject) -> Draft:
    """`flows/updated`: the flow after the change."""
    return _draft(FlowUpdated, _wrapped("flow", flow_json), topic=FLOWS, subject=subject)


def flow_deleted(subject: Subject) -> Draft:
    """`flows/deleted`, also when the deletion has only begun."""
    return _draft(FlowDeleted, f'{{"flow_id":"{subject.flow_id}"}}'.encode(), topic=FLOWS, subject=subject)


def segments_added(segments: Sequence[bytes], subject: Subject) -> list[Draft]:
    """`flows/segments_added`, as many as `EVENT_LIMIT` asks for, in order. `segments` are rendered without URLs.

    Raises `InvalidInput` for one that is too large on its own.
    """
    drafts: list[Draft] = []
    first = size = 0
    for index, segment in enumerate(segments):
        cost = len(segment) + 1
        if cost > EVENT_LIMIT - _WRAPPING:
            raise InvalidInput(f"the segment's JSON has more than {EVENT_LIMIT - _WRAPPING} bytes", field=f"$[{index}]")
        if size + cost > EVENT_LIMIT - _WRAPPING:
            drafts.append(_segments_draft(segments[first:index], subject))
            first, size = index, 0
        size += cost
    if segments:
        drafts.append(_segments_draft(segments[first:], subject))
    return drafts


def segments_deleted(timerange: str, subject: Subject) -> Draft:
    """`flows/segments_deleted`; `timerange` begins and ends within deleted segments (EVT-6)."""
    body = f'{{"flow_id":"{subject.flow_id}","timerange":"{timerange}"}}'.encode()
    return _draft(SegmentsDeleted, body, topic=SEGMENTS, subject=subject)


def source_created(source_json: bytes, subject: Subject) -> Draft:
    """`sources/created`; `source_json` is the very JSON of GET. Raises `InvalidInput` beyond `RESOURCE_LIMIT`."""
    return _draft(SourceCreated, _wrapped("source", source_json), topic=SOURCES, subject=subject)


def source_updated(source_json: bytes, subject: Subject) -> Draft:
    """`sources/updated`: the source after the change."""
    return _draft(SourceUpdated, _wrapped("source", source_json), topic=SOURCES, subject=subject)


def source_deleted(subject: Subject) -> Draft:
    """`sources/deleted`."""
    return _draft(SourceDeleted, f'{{"source_id":"{subject.source_id}"}}'.encode(), topic=SOURCES, subject=subject)


def event_type(kind: type[Event]) -> str:
    """The exact string of EVT-9 for a class of events."""
    config: Any = kind.__struct_config__
    return str(config.tag)


def _segments_draft(segments: Sequence[bytes], subject: Subject) -> Draft:
    body = b"".join((f'{{"flow_id":"{subject.flow_id}","segments":['.encode(), b",".join(segments), b"]}"))
    return _draft(SegmentsAdded, body, topic=SEGMENTS, subject=subject)


def _draft(kind: type[Event], body: bytes, *, topic: str, subject: Subject) -> Draft:
    key = subject.source_id if topic == SOURCES else subject.flow_id
    if key is None:
        raise TypeError(f"an event {event_type(kind)} names what it is about")
    return Draft(topic, key, event_type(kind), body, subject)


def _wrapped(name: str, body: bytes) -> bytes:
    if len(body) > RESOURCE_LIMIT:
        raise InvalidInput(f"the {name}'s JSON has {len(body)} bytes, at most {RESOURCE_LIMIT} are allowed")
    return b"".join((f'{{"{name}":'.encode(), body, b"}"))
