"""What a store answers, as far as the demo reads it; what it does not know of is ignored."""

from collections.abc import Mapping
from uuid import UUID

from msgspec import Struct, field

from tams_demo.flows import Member
from tams_demo.timeline import Span, read_timestamp


class Service(Struct, frozen=True):
    """What a store says about itself."""

    api_version: str
    type: str
    name: str | None = None
    service_version: str | None = None


class StoredFlow(Struct, frozen=True):
    """A flow, and how far its segments reach."""

    id: UUID
    source_id: UUID
    timerange: str | None = None
    flow_collection: tuple[Member, ...] = ()


class PutUrl(Struct, frozen=True):
    """Where and how to upload a media object; a store that says no content type wants the flow's."""

    url: str
    content_type: str | None = field(name="content-type", default=None)
    headers: Mapping[str, str] = field(default_factory=dict)


class Slot(Struct, frozen=True):
    """A media object that the store has made room for."""

    object_id: str
    put_url: PutUrl
    presigned: bool = False


class Allocation(Struct, frozen=True):
    """The answer to `POST /flows/{id}/storage`."""

    media_objects: tuple[Slot, ...]


class GetUrl(Struct, frozen=True):
    """One address that a media object can be read from."""

    url: str
    presigned: bool = False


class InitObject(Struct, frozen=True):
    """The init segment that a segment needs."""

    object_id: str
    get_urls: tuple[GetUrl, ...] = ()


class StoredSegment(Struct, frozen=True):
    """One segment as `GET /flows/{id}/segments` tells it."""

    object_id: str
    timerange: str
    ts_offset: str = "0:0"
    key_frame_count: int | None = None
    get_urls: tuple[GetUrl, ...] = ()
    init_object: InitObject | None = None

    @property
    def span(self) -> Span:
        """Where it lies on the flow; raises `ValueError` if the store says something else than `[start_end)`."""
        return Span.read(self.timerange)

    @property
    def offset(self) -> int:
        """`ts_offset` in nanoseconds; raises `ValueError` if it is no timestamp."""
        return read_timestamp(self.ts_offset)


class Problem(Struct, frozen=True):
    """An error body as stores write it: RFC 9457, the specification's own, or both."""

    title: str | None = None
    detail: str | None = None
    summary: str | None = None
    message: str | None = None

    def __str__(self) -> str:
        said = (self.title, self.detail or self.summary or self.message)
        return ": ".join(part for part in dict.fromkeys(said) if part)


class FailedSegment(Struct, frozen=True):
    """A segment of a bulk request that was not registered."""

    object_id: str
    timerange: str | None = None
    error: Problem | None = None


class PartialFailure(Struct, frozen=True):
    """The 200 answer to a bulk request."""

    failed_segments: tuple[FailedSegment, ...]
