"""Reading a clip's packets, without decoding them, into tracks with exact times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Final

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from tams_demo.clip import Clip, Picture, Sound, Track, UnusableClip

AAC_FRAME: Final = 1024
"""Samples in one coded frame of AAC-LC."""
LONGEST_GOP: Final = 10
"""Seconds between key frames beyond which a clip is encoded anew instead of being cut as it is."""


def scan(path: Path) -> Clip:
    """Place the best video and audio track of the file at `path` on one time line that begins with the first picture.

    Raises `UnusableClip` if the file cannot be read as media or holds neither.
    """
    try:
        with av.open(path) as container:
            stamps = {stream.index: _Stamps(stream) for stream in _streams(container)}
            if not stamps:
                raise UnusableClip(f"{path} holds neither video nor audio")
            for packet in container.demux([each.stream for each in stamps.values()]):
                if packet.size:
                    stamps[packet.stream_index].note(packet)
            origin = next(iter(stamps.values())).first
            tracks = tuple(each.track(origin) for each in stamps.values())
    except (av.FFmpegError, OSError) as error:
        raise UnusableClip(f"{path} cannot be read as media: {error}") from error
    return Clip(path, tracks, origin)


def _streams(container: InputContainer) -> Iterator[VideoStream | AudioStream]:
    video = container.streams.best("video")
    audio = container.streams.best("audio")
    if isinstance(video, VideoStream) and not video.disposition & Disposition.attached_pic:
        yield video
    if isinstance(audio, AudioStream):
        yield audio


@dataclass(slots=True)
class _Stamps:
    stream: VideoStream | AudioStream
    pts: list[int] = field(default_factory=list)
    keys: list[bool] = field(default_factory=list)
    discarded: set[int] = field(default_factory=set)
    untimed: int = 0
    last_duration: int = 0

    @property
    def base(self) -> Fraction:
        return self.stream.time_base or Fraction(1, av.time_base)

    @property
    def first(self) -> Fraction:
        kept = (stamp for place, stamp in enumerate(self.pts) if place not in self.discarded)
        return min(kept, default=self.stream.start_time or 0) * self.base

    def note(self, packet: "Packet[Stream]") -> None:
        if packet.pts is None:
            self.untimed += 1
            return
        if packet.is_discard:
            self.discarded.add(len(self.pts))
        self.pts.append(packet.pts)
        self.keys.append(packet.is_keyframe)
        self.last_duration = packet.duration or self.last_duration

    def track(self, origin: Fraction) -> Track:
        if isinstance(self.stream, VideoStream):
            return self._video(self.stream, origin)
        return self._audio(self.stream, origin)

    def _video(self, stream: VideoStream, origin: Fraction) -> Track:
        order = sorted(self.pts)
        rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
        rate = next((rate for rate in rates if rate and _regular(order, self.base, step=1 / rate)), None)
        if rate is None:
            at = [stamp * self.base - origin for stamp in self.pts]
        else:
            rank = {stamp: Fraction(place) / rate for place, stamp in enumerate(order)}
            at = [rank[stamp] for stamp in self.pts]
        end = max(at, default=Fraction(0)) + (1 / rate if rate else self.last_duration * self.base)
        return Track(
            stream=stream.index,
            essence=_picture(stream, rate),
            at=tuple(at),
            keys=tuple(self.keys),
            end=end,
            flaw=self._video_flaw(stream, at),
        )

    def _audio(self, stream: AudioStream, origin: Fraction) -> Track:
        step = Fraction(AAC_FRAME, stream.sample_rate or 1)
        regular = _regular(self.pts, self.base, step=step)
        at: list[Fraction | None] = []
        for place, stamp in enumerate(self.pts):
            time = (self.pts[0] * self.base + place * step if regular else stamp * self.base) - origin
            at.append(None if time < 0 or place in self.discarded else time)
        kept = [time for time in at if time is not None]
        return Track(
            stream=stream.index,
            essence=Sound(stream.sample_rate, stream.channels),
            at=tuple(at),
            keys=tuple(time is not None for time in at),
            end=max(kept, default=Fraction(0)) + step,
            flaw=self._audio_flaw(stream, kept),
        )

    def _video_flaw(self, stream: VideoStream, at: Sequence[Fraction]) -> str | None:
        if stream.codec_context.name != "h264" or stream.codec_context.pix_fmt not in ("yuv420p", "yuvj420p"):
            return f"{stream.codec_context.name} {stream.codec_context.pix_fmt} is not 8 bit 4:2:0 H.264"
        if self.untimed or self.discarded or len(set(self.pts)) < len(self.pts):
            return "frames without a time of their own"
        if not self.keys or not self.keys[0]:
            return "does not begin with a key frame"
        latest_key = at[0]
        starts = [latest_key]
        for time, key in zip(at, self.keys, strict=True):
            if key:
                latest_key = time
                starts.append(time)
            elif time < latest_key:
                return "pictures that need a later key frame"
        if any(late - early > LONGEST_GOP for early, late in pairwise([*starts, max(at)])):
            return f"more than {LONGEST_GOP} s without a key frame"
        return None

    def _audio_flaw(self, stream: AudioStream, kept: Sequence[Fraction]) -> str | None:
        if stream.codec_context.name != "aac" or stream.codec_context.profile != "LC":
            return f"{stream.codec_context.name} is not AAC-LC"
        if stream.codec_context.frame_size not in (0, AAC_FRAME):
            return f"{stream.codec_context.frame_size} samples in a frame"
        if self.untimed or not kept or any(late <= early for early, late in pairwise(kept)):
            return "frames without a time of their own"
        return None


def _regular(pts: Sequence[int], base: Fraction, *, step: Fraction) -> bool:
    """Whether stamps that were rounded to `base` are those of frames exactly `step` seconds apart."""
    return all(abs((stamp - pts[0]) * base - place * step) <= base for place, stamp in enumerate(pts))


def _picture(stream: VideoStream, rate: Fraction | None) -> Picture:
    context = stream.codec_context
    return Picture(
        width=context.width,
        height=context.height,
        rate=rate,
        pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
        avc=_avc(context.extradata or b""),
        color_space=context.colorspace,
        transfer=context.color_trc,
        field_order=context.field_order,
    )


def _avc(extradata: bytes) -> tuple[int, int, int]:
    """Profile, constraint flags and level from an avcC box or from a sequence parameter set behind a start code."""
    if extradata[:1] == b"\x01":
        found = extradata[1:4]
    else:
        start = max(extradata.find(bytes((0, 0, 1, head))) for head in (0x27, 0x47, 0x67))
        found = extradata[start + 4 : start + 7] if start >= 0 else b""
    profile, flags, level = found if len(found) == 3 else (0, 0, 0)
    return profile, flags, level
