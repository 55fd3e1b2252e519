"""Segments and objects as JSON: bodies are rendered once, when written, and only spliced when read."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from tams_common.http.codec import Timestamp
from tams_common.timerange import format_timestamp
from tams_segments.requests import SegmentPost
from tams_segments.tables import MediaObject

_encoder: Final = msgspec.json.Encoder()


class InitReference(msgspec.Struct, frozen=True, gc=False):
    """The init object of a segment; its key is `object_id` here, and `id` on objects (T-26)."""

    object_id: str


class SegmentBody(msgspec.Struct, frozen=True, gc=False):
    """A segment as GET shows it (SEG-4), without URLs; `init_object` stays last, where URLs are spliced in."""

    object_id: str
    timerange: str
    ts_offset: str | UnsetType = UNSET
    last_duration: str | UnsetType = UNSET
    sample_offset: int | UnsetType = UNSET
    sample_count: int | UnsetType = UNSET
    key_frame_count: int | UnsetType = UNSET
    init_object: InitReference | UnsetType = UNSET


def segment_body(item: SegmentPost, media: MediaObject) -> bytes:
    """The JSON that is stored with a segment; what belongs to the object comes from the object (SEG-25)."""
    return _encoder.encode(
        SegmentBody(
            item.object_id,
            str(item.timerange),
            _time(item.ts_offset),
            _time(item.last_duration),
            item.sample_offset,
            item.sample_count,
            UNSET if media.key_frame_count is None else media.key_frame_count,
            UNSET if media.init_object_id is None else InitReference(media.init_object_id),
        )
    )


def _time(given: Timestamp | UnsetType) -> str | UnsetType:
    return UNSET if given is UNSET else format_timestamp(given)


def with_object_timerange(body: bytes, timerange: str | None) -> bytes:
    """The body of a segment and the timerange of its object (SEG-20)."""
    return b'{"object_timerange":"%b",%b' % ((timerange or "()").encode(), body[1:])


def with_urls(body: bytes, urls: bytes, *, init_urls: bytes | None = None) -> bytes:
    """The body of a segment or object and its `get_urls`; `init_urls` go into the init object that ends the body."""
    if init_urls is None:
        return b'%b,"get_urls":%b}' % (body[:-1], urls)
    return b'%b,"get_urls":%b},"get_urls":%b}' % (body[:-2], init_urls, urls)
