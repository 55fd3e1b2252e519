"""The request body that places a media object on its flow."""

from msgspec import Struct

from tams_demo.cutting import MediaObject
from tams_demo.timeline import write_timestamp


class SegmentBody(Struct, frozen=True):
    """One segment in `POST /flows/{id}/segments`."""

    object_id: str
    timerange: str
    ts_offset: str
    key_frame_count: int

    @classmethod
    def of(cls, media: MediaObject, object_id: str, *, epoch: int) -> "SegmentBody":
        """The whole of `media`, stored as `object_id`, on a flow that begins at `epoch` nanoseconds."""
        return cls(
            object_id=object_id,
            timerange=str(media.piece.span(epoch)),
            ts_offset=write_timestamp(media.offset(epoch)),
            key_frame_count=media.piece.key_frames,
        )
