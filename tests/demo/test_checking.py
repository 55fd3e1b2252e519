"""A store that gives back something else is found out, and told what."""

from collections.abc import Mapping
from dataclasses import replace

import msgspec
import pytest

from tams_demo.checking import TOLERANCE, Mismatch, check_bytes, check_extent, check_frames, check_listing
from tams_demo.cutting import MediaObject
from tams_demo.replies import GetUrl, StoredSegment
from tams_demo.timeline import write_timestamp

EPOCH = 37 * 10**9


def listing(media: MediaObject, changes: Mapping[str, object] | None = None) -> StoredSegment:
    segment = StoredSegment(
        object_id="object",
        timerange=str(media.piece.span(EPOCH)),
        ts_offset=write_timestamp(media.offset(EPOCH)),
        key_frame_count=media.piece.key_frames,
        get_urls=(GetUrl("/media/object"),),
    )
    return msgspec.structs.replace(segment, **(changes or {}))


def test_what_was_stored_passes(tracks: list[list[MediaObject]]) -> None:
    for objects in tracks:
        check_listing(objects, [listing(media) for media in objects], epoch=EPOCH)
    check_extent(tracks[0], "[37:0_43:0)", epoch=EPOCH)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"timerange": "[37:0_39:1)"}, r"is listed as \[37:0_39:1\)"),
        ({"timerange": "_"}, "not a timerange of the form"),
        ({"ts_offset": "27:1"}, "with ts_offset 27:1 and"),
        ({"key_frame_count": None}, "None key frames"),
        ({"get_urls": ()}, "without an address"),
    ],
)
def test_a_segment_told_differently_is_found(
    tracks: list[list[MediaObject]], changes: Mapping[str, object], said: str
) -> None:
    media = tracks[0][0]
    with pytest.raises(Mismatch, match=f"video segment 0.*{said}"):
        check_listing([media], [listing(media, changes)], epoch=EPOCH)


def test_a_missing_segment_is_found(tracks: list[list[MediaObject]]) -> None:
    objects = tracks[0]
    with pytest.raises(Mismatch, match="lists 2 segments where 3 were registered"):
        check_listing(objects, [listing(media) for media in objects[1:]], epoch=EPOCH)


@pytest.mark.parametrize("extent", [None, "[37:0_42:0)", "_"])
def test_another_extent_is_found(tracks: list[list[MediaObject]], extent: str | None) -> None:
    with pytest.raises(Mismatch, match=r"should reach over \[37:0_43:0\)"):
        check_extent(tracks[0], extent, epoch=EPOCH)


def test_one_changed_byte_is_found(tracks: list[list[MediaObject]]) -> None:
    media = tracks[0][1]
    content = bytearray(media.path.read_bytes())
    check_bytes(media, bytes(content))
    content[1000] ^= 1
    with pytest.raises(Mismatch, match="video segment 1 came back with other bytes"):
        check_bytes(media, bytes(content))


def test_a_frame_out_of_its_place_is_found(tracks: list[list[MediaObject]]) -> None:
    media = tracks[1][0]
    content = media.path.read_bytes()
    off = listing(media, {"ts_offset": write_timestamp(media.offset(EPOCH) + 2 * TOLERANCE)})
    with pytest.raises(Mismatch, match=f"audio segment 0: frame 0 is presented {2 * TOLERANCE} ns off"):
        check_frames(media.piece, content, segment=off, epoch=EPOCH)


def test_a_missing_frame_is_found(tracks: list[list[MediaObject]]) -> None:
    media = tracks[0][0]
    longer = replace(media.piece, times=(*media.piece.times, media.piece.end))
    with pytest.raises(Mismatch, match="holds 51 frames, 50 could be decoded"):
        check_frames(longer, media.path.read_bytes(), segment=listing(media), epoch=EPOCH)


def test_what_is_no_media_is_found(tracks: list[list[MediaObject]]) -> None:
    media = tracks[0][0]
    with pytest.raises(Mismatch, match="video segment 0"):
        check_frames(media.piece, b"\0" * 1000, segment=listing(media), epoch=EPOCH)
