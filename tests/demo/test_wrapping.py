"""Fragments of MP4: one init segment for all of a track, and nothing in them that depends on where they were cut."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from tams_demo import cutting
from tams_demo.checking import Mismatch, check_frames, check_init
from tams_demo.clip import Clip
from tams_demo.cutting import MediaObject
from tams_demo.flows import Ids, track_flow
from tams_demo.replies import StoredSegment
from tams_demo.segments import SegmentBody
from tams_demo.timeline import write_timestamp
from tams_demo.wrapping import FMP4, TS
from tests.conformance import rule
from tests.demo.conftest import TARGET, Conforms


@pytest.fixture(scope="module")
def fragments(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> list[list[MediaObject]]:
    """The clip's media objects: those of the video, then those of the audio."""
    folder = tmp_path_factory.mktemp("fragments")
    return [list(cutting.write(clip, pieces, folder=folder, wrapping=FMP4)) for pieces in cutting.plan(clip, TARGET)]


@rule("INI-5", "INI-7")
def test_a_track_has_one_init_segment(fragments: list[list[MediaObject]]) -> None:
    for objects in fragments:
        assert len({media.init for media in objects}) == 1
        assert objects[0].init[4:8] == b"ftyp"
        for media in objects:
            content = media.path.read_bytes()
            assert (len(content), content[4:8]) == (media.size, b"moof")
            assert b"mfra" not in content[-16:]


def test_a_fragment_decodes_with_its_init_segment_only(fragments: list[list[MediaObject]]) -> None:
    for objects in fragments:
        for media in objects:
            content = media.path.read_bytes()
            stored = StoredSegment("object", str(media.piece.span(0)), write_timestamp(media.offset(0)))
            frames = check_frames(media.piece, media.init + content, segment=stored, epoch=0, wrapping=FMP4)
            assert frames == len(media.piece.times)
            with pytest.raises(Mismatch):
                check_frames(media.piece, content, segment=stored, epoch=0, wrapping=FMP4)


def test_a_long_recording_needs_no_second_clock(clip: Clip, tmp_path: Path) -> None:
    days = Fraction(40 * 24 * 3600)
    later = [
        replace(track, at=tuple(None if at is None else at + days for at in track.at), end=track.end + days)
        for track in clip.tracks
    ]
    for pieces in cutting.plan(replace(clip, tracks=tuple(later)), TARGET):
        for media in cutting.write(clip, pieces, folder=tmp_path, wrapping=FMP4):
            assert abs(media.offset(0) + 10 * 10**9) <= 1
            stored = StoredSegment("object", str(media.piece.span(0)), write_timestamp(media.offset(0)))
            content = media.init + media.path.read_bytes()
            check_frames(media.piece, content, segment=stored, epoch=0, wrapping=FMP4)


def test_another_init_segment_is_a_mismatch(fragments: list[list[MediaObject]]) -> None:
    media = fragments[0][0]
    check_init(media, media.init)
    with pytest.raises(Mismatch, match="init segment of video segment 0"):
        check_init(media, b"")


@rule("INI-1", "INI-13")
def test_flows_and_segments_say_so(fragments: list[list[MediaObject]], conforms: Conforms) -> None:
    for objects, container in zip(fragments, ("video/iso.segment", "audio/mp4"), strict=True):
        ids = Ids(UUID(int=1, version=4), UUID(int=2, version=4))
        flow = msgspec.to_builtins(track_flow(ids, objects, label="clip", target=TARGET))
        conforms("flow-put.json", flow)
        assert (flow["container"], flow["essence_parameters"]["init_segments"]) == (container, True)
        body = msgspec.to_builtins(SegmentBody.of(objects[0], "object", epoch=0, init_id="init"))
        conforms("flow-segment-post.json", body)
        assert body["init_object_id"] == "init"


def test_transport_streams_have_none(tracks: list[list[MediaObject]]) -> None:
    media = tracks[0][0]
    assert (media.wrapping, media.init) == (TS, b"")
    assert TS.split(b"anything") == (b"", b"anything")
