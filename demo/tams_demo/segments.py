"""The request bodies that make room for media objects, and place them on their flow."""

from msgspec import Struct

from tams_demo.cutting import MediaObject
from tams_demo.timeline import write_timestamp


class StorageBody(Struct, frozen=True, omit_defaults=True):
    """`POST /flows/{id}/storage`."""

    limit: int
    content_type: str | None = None


class SegmentBody(Struct, frozen=True, omit_defaults=True):
    """One segment in `POST /flows/{id}/segments`."""

    object_id: str
    timerange: str
    ts_offset: str
    key_frame_count: int
    init_object_id: str | None = None

    @classmethod
    def of(cls, media: MediaObject, object_id: str, *, epoch: int, init_id: str | None = None) -> "SegmentBody":
        """The whole of `media`, stored as `object_id`, on a flow that begins at `epoch` nanoseconds.

        `init_id` is how its init segment is stored.
        """
        return cls(
            object_id=object_id,
            timerange=str(media.piece.span(epoch)),
            ts_offset=write_timestamp(media.offset(epoch)),
            key_frame_count=media.piece.key_frames,
            init_object_id=init_id,
        )
