"""Encoding pictures and sound as H.264 and AAC, with a key frame wherever a segment is to begin."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from tams_demo.clip import Clip, Picture

SAMPLE_RATE: Final = 48_000
"""Samples a second of all encoded sound: a coded frame then lasts a whole number of a transport stream's ticks."""
_JITTER: Final = Fraction(1, 20)
_X264: Final = {"preset": "veryfast", "crf": "23", "forced-idr": "1"}
_AAC: Final = {"b": "128k"}

Frame = VideoFrame | AudioFrame
Tick = Callable[[Fraction], None]
"""Called with the time in seconds that has been reached."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The video to encode: even dimensions in pixels, and the unit of time its frames are stamped with, in seconds."""

    width: int
    height: int
    rate: Fraction
    time_base: Fraction
    color: int


def encode(frames: Iterable[Frame], path: Path, *, shape: Shape | None, segment: Fraction, tick: Tick) -> None:
    """Write `frames` as an MP4 at `path`: sound alone if `shape` is None, pictures alone if there is no sound.

    Key frames are forced where a new stretch of `segment` seconds begins. Raises `av.FFmpegError`.
    """
    with av.open(path, "w", format="mp4") as output:
        video = _video(output, shape) if shape else None
        audio: AudioStream | None = None
        slot = -1
        for frame in frames:
            time = time_of(frame)
            tick(time)
            if isinstance(frame, AudioFrame):
                audio = audio or output.add_stream("aac", rate=SAMPLE_RATE, options=_AAC, layout="stereo")
                output.mux(audio.encode(frame))
            elif video:
                # A decoded frame remembers what kind it was; left so, the encoder would copy the old key frames.
                frame.pict_type = PictureType.I if time // segment > slot else PictureType.NONE
                slot = int(time // segment)
                output.mux(video.encode(frame))
        if video:
            output.mux(video.encode(None))
        if audio:
            output.mux(audio.encode(None))


def transcode(clip: Clip, path: Path, *, segment: Fraction, tick: Tick) -> None:
    """Write the tracks of `clip` anew at `path`, from its first picture on. Raises `av.FFmpegError`."""
    with av.open(clip.path) as container:
        shape: Shape | None = None
        for track in clip.tracks:
            stream = container.streams[track.stream]
            if isinstance(track.essence, Picture) and isinstance(stream, VideoStream):
                shape = _shape(track.essence, stream)
        encode(
            _rebased(_decoded(container, clip), clip.origin, shape=shape), path, shape=shape, segment=segment, tick=tick
        )


def time_of(frame: Frame) -> Fraction:
    """When a frame is presented, in seconds."""
    return (frame.pts or 0) * (frame.time_base or Fraction(0))


def _video(output: OutputContainer, shape: Shape) -> VideoStream:
    video = output.add_stream("libx264", rate=shape.rate, options=_X264)
    video.width, video.height, video.pix_fmt = shape.width, shape.height, "yuv420p"
    video.codec_context.time_base = shape.time_base
    video.color_primaries = video.color_trc = video.colorspace = shape.color
    return video


def _shape(picture: Picture, stream: VideoStream) -> Shape:
    base = stream.time_base or Fraction(1, av.time_base)
    return Shape(
        width=picture.width & ~1,
        height=picture.height & ~1,
        rate=picture.rate or stream.average_rate or Fraction(1 / base),
        time_base=1 / picture.rate if picture.rate else base,
        color=picture.color_space,
    )


def _decoded(container: InputContainer, clip: Clip) -> Iterator[Frame]:
    for frame in container.decode([container.streams[track.stream] for track in clip.tracks]):
        if isinstance(frame, VideoFrame | AudioFrame):
            yield frame


def _rebased(frames: Iterable[Frame], origin: Fraction, *, shape: Shape | None) -> Iterator[Frame]:
    """Frames from `origin` on, at times from zero: pictures in strict order, sound without the file's rounding."""
    picture_due = sample_due = 0
    for frame in frames:
        time = time_of(frame) - origin
        if time < 0:
            continue
        if isinstance(frame, AudioFrame):
            frame.time_base = Fraction(1, frame.sample_rate)
            start = round(time * frame.sample_rate)
            frame.pts = sample_due if abs(start - sample_due) < _JITTER * frame.sample_rate else start
            sample_due = frame.pts + frame.samples
        elif shape:
            frame.time_base = shape.time_base
            frame.pts = max(round(time / shape.time_base), picture_due)
            picture_due = frame.pts + 1
        yield frame
