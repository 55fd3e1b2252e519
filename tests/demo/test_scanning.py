"""Files of one's own: what can be stored as it is, what has to be encoded anew, and that both come out exact."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Final

import av
import pytest
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.filter import Graph
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from tams_demo import cutting
from tams_demo.checking import check_frames
from tams_demo.clip import Clip, Picture, Sound, UnusableClip
from tams_demo.encoding import time_of, transcode
from tams_demo.replies import StoredSegment
from tams_demo.scanning import scan
from tams_demo.timeline import write_timestamp
from tams_demo.wrapping import WRAPPINGS
from tests.demo.conftest import TARGET

NTSC: Final = Fraction(30000, 1001)


@dataclass(frozen=True)
class Make:
    """A small file: its container by name, its codecs (empty for none) and what is special about it."""

    name: str
    video: str = "libx264"
    audio: str = "aac"
    rate: Fraction = Fraction(25)
    sample_rate: int = 48_000
    x264: str = "keyint=30:scenecut=0"
    pixels: str = "yuv420p"
    skip: int = 0
    seconds: int = 5


def drawn(*filters: tuple[str, str | None]) -> Iterator[VideoFrame | AudioFrame]:
    graph = Graph()
    graph.link_nodes(*(graph.add(name, options) for name, options in filters)).configure()
    while True:
        try:
            yield graph.pull()
        except av.EOFError:
            return


def write(make: Make, folder: Path) -> Path:
    path = folder / make.name
    pictures = drawn(
        ("testsrc2", f"size=160x90:rate={make.rate}:duration={make.seconds}"),
        ("format", f"pix_fmts={make.pixels}"),
        ("buffersink", None),
    )
    sound = drawn(
        ("sine", f"sample_rate={make.sample_rate}:duration={make.seconds}"),
        ("aformat", "sample_fmts=fltp:channel_layouts=stereo"),
        ("abuffersink", None),
    )
    with av.open(path, "w") as output:
        options = {"preset": "ultrafast", "bf": "2", "x264-params": make.x264} if make.video == "libx264" else {}
        video = output.add_stream(make.video, rate=make.rate, options=options) if make.video else None
        if isinstance(video, VideoStream):
            video.width, video.height, video.pix_fmt = 160, 90, make.pixels
            video.codec_context.time_base = 1 / make.rate
        audio = output.add_stream(make.audio, rate=make.sample_rate, layout="stereo") if make.audio else None
        for place, frame in enumerate(heapq.merge(pictures, sound, key=time_of)):
            if isinstance(frame, AudioFrame):
                if isinstance(audio, AudioStream):
                    output.mux(audio.encode(frame))
            elif isinstance(video, VideoStream) and not (make.skip and place % make.skip == 1):
                frame.pict_type = PictureType.NONE
                output.mux(video.encode(frame))
        if isinstance(video, VideoStream):
            output.mux(video.encode(None))
        if isinstance(audio, AudioStream):
            output.mux(audio.encode(None))
    return path


def check_whole(clip: Clip, folder: Path) -> None:
    """Cut it: segments are contiguous, and each decodes alone with every frame at its time, however it is wrapped."""
    for pieces, track in zip(cutting.plan(clip, TARGET), clip.tracks, strict=True):
        assert sum(len(piece.times) for piece in pieces) == len(track.times)
        assert all(early.span(0).end == late.span(0).start for early, late in pairwise(pieces))
        for wrapping in WRAPPINGS.values():
            for media in cutting.write(clip, pieces, folder=folder, wrapping=wrapping):
                stored = StoredSegment("object", str(media.piece.span(0)), write_timestamp(media.offset(0)))
                content = media.init + media.path.read_bytes()
                check_frames(media.piece, content, segment=stored, epoch=0, wrapping=wrapping)


def picture(clip: Clip) -> Picture:
    return next(track.essence for track in clip.tracks if isinstance(track.essence, Picture))


@pytest.mark.parametrize(
    "make",
    [
        Make("plain.mp4"),
        Make("milliseconds.mkv", rate=NTSC, sample_rate=44_100),
        Make("rounded.ts", rate=NTSC, sample_rate=44_100),
        Make("silent.mov", audio="", rate=Fraction(50)),
        Make("film.mp4", rate=Fraction(24000, 1001)),
    ],
    ids=lambda make: make.name,
)
def test_h264_and_aac_are_stored_as_they_are(make: Make, tmp_path: Path) -> None:
    clip = scan(write(make, tmp_path))
    assert clip.flaw is None
    assert picture(clip).rate == make.rate
    video = clip.tracks[0]
    assert sorted(video.times) == [place / make.rate for place in range(len(video.times))]
    check_whole(clip, tmp_path)


def test_a_variable_rate_keeps_its_times(tmp_path: Path) -> None:
    clip = scan(write(Make("varying.mp4", skip=7), tmp_path))
    assert clip.flaw is None
    assert picture(clip).rate is None
    check_whole(clip, tmp_path)


def test_sound_alone_begins_at_zero(tmp_path: Path) -> None:
    clip = scan(write(Make("sound.mp4", video="", sample_rate=44_100), tmp_path))
    (track,) = clip.tracks
    assert (clip.flaw, track.essence) == (None, Sound(44_100, 2))
    assert track.times[:2] == [0, Fraction(1024, 44_100)]
    check_whole(clip, tmp_path)


@pytest.mark.parametrize(
    ("make", "flaw"),
    [
        (Make("old.avi", video="mpeg4", audio="mp3", sample_rate=44_100), "mpeg4 yuv420p is not 8 bit 4:2:0 H.264"),
        (Make("web.mkv", audio="libopus"), "libopus is not AAC-LC|opus is not AAC-LC"),
        (Make("chroma.mp4", pixels="yuv422p"), "yuv422p is not 8 bit 4:2:0 H.264"),
        (Make("open.ts", x264="keyint=30:scenecut=0:open-gop=1"), "need a later key frame"),
        (Make("long.mp4", x264="keyint=900:scenecut=0", seconds=11), "more than 10 s without a key frame"),
        (Make("sound.mp3", video="", audio="mp3"), "is not AAC-LC"),
    ],
    ids=lambda value: value.name if isinstance(value, Make) else "",
)
def test_anything_else_is_encoded_anew(make: Make, flaw: str, tmp_path: Path) -> None:
    source = scan(write(make, tmp_path))
    assert source.flaw
    assert any(words in source.flaw for words in flaw.split("|"))
    transcode(source, tmp_path / "anew.mp4", segment=TARGET, tick=lambda time: None)
    clip = scan(tmp_path / "anew.mp4")
    assert clip.flaw is None
    assert abs(clip.end - make.seconds) < Fraction(1, 5)
    for pieces in cutting.plan(clip, TARGET):
        assert [piece.times[0] // TARGET for piece in pieces[:-1]] == list(range(len(pieces) - 1))
    check_whole(clip, tmp_path)


def test_what_is_no_media_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.bin"
    path.write_text("no pictures here\n" * 100)
    with pytest.raises(UnusableClip, match=r"notes\.bin cannot be read as media"):
        scan(path)
    with pytest.raises(UnusableClip, match="cannot be read"):
        scan(tmp_path / "missing.mp4")
