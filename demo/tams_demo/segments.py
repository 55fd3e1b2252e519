"""The bodies of segments: what is registered for a media object, and what a store says of it afterwards."""

from msgspec import Struct

from tams_demo.cutting import MediaObject
from tams_demo.timeline import Span, read_timestamp, write_timestamp


class SegmentBody(Struct, frozen=True):
    """One segment in `POST /flows/{id}/segments`."""

    object_id: str
    timerange: str
    ts_offset: str
    key_frame_count: int

    @classmethod
    def of(cls, media: MediaObject, object_id: str, epoch: int) -> "SegmentBody":
        """The whole of `media`, stored as `object_id`, on a flow that begins at `epoch` nanoseconds."""
        return cls(
            object_id=object_id,
            timerange=str(media.piece.span(epoch)),
            ts_offset=write_timestamp(media.offset(epoch)),
            key_frame_count=media.piece.key_frames,
        )


class GetUrl(Struct, frozen=True):
    """One address that a media object can be read from."""

    url: str
    presigned: bool = False


class StoredSegment(Struct, frozen=True):
    """One segment as `GET /flows/{id}/segments` tells it."""

    object_id: str
    timerange: str
    ts_offset: str = "0:0"
    key_frame_count: int | None = None
    get_urls: tuple[GetUrl, ...] = ()

    @property
    def span(self) -> Span:
        """Where it lies on the flow; raises `ValueError` if the store says something else than `[start_end)`."""
        return Span.read(self.timerange)

    @property
    def offset(self) -> int:
        """`ts_offset` in nanoseconds; raises `ValueError` if it is no timestamp."""
        return read_timestamp(self.ts_offset)
