"""Cutting is exact: nothing is lost between segments, every one decodes alone, and its clock leads to the flow's."""

import hashlib
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from tams_demo import cutting
from tams_demo.checking import check_frames
from tams_demo.clip import Clip, Picture, Track
from tams_demo.cutting import MediaObject
from tams_demo.replies import StoredSegment
from tams_demo.timeline import WRAP, nanoseconds, write_timestamp
from tests.demo.conftest import SECONDS, TARGET

EPOCH = 1_800_000_037 * 10**9
AAC = Fraction(1024, 48000)


def as_stored(media: MediaObject, epoch: int) -> StoredSegment:
    return StoredSegment("object", str(media.piece.span(epoch)), write_timestamp(media.offset(epoch)))


def test_every_segment_begins_where_the_one_before_ends(tracks: list[list[MediaObject]]) -> None:
    for objects in tracks:
        spans = [media.piece.span(EPOCH) for media in objects]
        assert all(early.end == late.start for early, late in pairwise(spans))


def test_the_segments_together_are_the_whole(clip: Clip, tracks: list[list[MediaObject]]) -> None:
    video, audio = tracks
    assert [str(media.piece.span(0)) for media in video] == ["[0:0_2:0)", "[2:0_4:0)", "[4:0_6:0)"]
    assert sum(len(media.piece.times) for media in video) == 25 * SECONDS
    frames = -(-SECONDS // AAC)
    assert sum(len(media.piece.times) for media in audio) == frames
    assert sum(media.piece.span(0).length for media in audio) == nanoseconds(frames * AAC)
    assert clip.end == frames * AAC


def test_sound_is_cut_between_coded_frames(tracks: list[list[MediaObject]]) -> None:
    for media in tracks[1]:
        first = media.piece.times[0]
        assert first % AAC == 0
        assert 0 <= first - media.piece.number * TARGET < AAC
        assert media.piece.span(EPOCH).start == EPOCH + nanoseconds(first)
        assert media.piece.times == tuple(first + place * AAC for place in range(len(media.piece.times)))


def test_every_video_segment_begins_with_its_key_frame(tracks: list[list[MediaObject]]) -> None:
    for media in tracks[0]:
        with av.open(media.path) as container:
            packets = [packet for packet in container.demux() if packet.size]
        assert packets[0].is_keyframe
        assert packets[0].pts == min(packet.pts or 0 for packet in packets) == media.media_start
        assert sum(packet.is_keyframe for packet in packets) == media.piece.key_frames >= 1


def test_every_segment_decodes_alone_with_each_frame_at_its_time(tracks: list[list[MediaObject]]) -> None:
    for objects in tracks:
        for media in objects:
            content = media.path.read_bytes()
            assert hashlib.sha256(content).hexdigest() == media.sha256
            decoded = check_frames(media.piece, content, segment=as_stored(media, EPOCH), epoch=EPOCH)
            assert decoded == len(media.piece.times)


def test_the_offset_leads_from_the_clock_in_the_file_to_the_flow(tracks: list[list[MediaObject]]) -> None:
    lead = nanoseconds(cutting.LEAD)
    for objects in tracks:
        assert {media.offset(EPOCH) for media in objects} == {EPOCH - lead}
        assert {media.offset(0) for media in objects} == {-lead}


def test_the_files_follow_each_other_without_a_jump(tracks: list[list[MediaObject]]) -> None:
    for objects in tracks:
        for early, late in pairwise(objects):
            assert Fraction(late.media_start - early.media_start, 90_000) == late.piece.times[0] - early.piece.times[0]


def test_the_clock_of_a_long_recording_starts_again_and_the_offset_makes_up_for_it(clip: Clip, tmp_path: Path) -> None:
    turn = Fraction(WRAP, 90_000)
    later = [
        replace(track, at=tuple(None if at is None else at + 3 * turn for at in track.at), end=track.end + 3 * turn)
        for track in clip.tracks
    ]
    long_clip = replace(clip, tracks=tuple(later))
    for pieces in cutting.plan(long_clip, TARGET):
        for media in cutting.write(long_clip, pieces, folder=tmp_path):
            assert 0 <= media.media_start < WRAP
            assert abs(media.offset(0) - nanoseconds(3 * turn - cutting.LEAD)) <= 1
            check_frames(media.piece, media.path.read_bytes(), segment=as_stored(media, 0), epoch=0)


def test_a_cut_waits_for_the_first_key_frame_of_its_stretch(tmp_path: Path) -> None:
    at = tuple(Fraction(frame, 4) for frame in range(40))
    keys = tuple(frame in (0, 5, 10, 19, 20, 36) for frame in range(40))
    essence = Picture(64, 36, Fraction(4), Fraction(1), (100, 0, 30), color_space=1, transfer=1, field_order=1)
    track = Track(stream=0, essence=essence, at=at, keys=keys, end=Fraction(10), flaw=None)
    (pieces,) = cutting.plan(Clip(tmp_path, (track,), Fraction(0)), TARGET)
    assert [(piece.first, piece.last) for piece in pieces] == [(0, 10), (10, 19), (19, 36), (36, 40)]
    assert [piece.key_frames for piece in pieces] == [2, 1, 2, 1]
    assert pieces[-1].end == 10


@pytest.mark.parametrize("target", [Fraction(1), Fraction(3), Fraction(10)])
def test_other_segment_lengths_keep_the_whole(clip: Clip, target: Fraction) -> None:
    for pieces, track in zip(cutting.plan(clip, target), clip.tracks, strict=True):
        assert sum(len(piece.times) for piece in pieces) == len(track.times)
        assert pieces[-1].end == track.end
