"""Whether what came back is what was stored: the segment's words, every byte, every frame and its time."""

import hashlib
import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import av
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from tams_demo.cutting import MediaObject, Piece
from tams_demo.replies import StoredSegment
from tams_demo.timeline import CLOCK, NANOSECONDS, Span, nanoseconds, write_timestamp
from tams_demo.wrapping import TS, Wrapping

TOLERANCE: Final = -(-NANOSECONDS // CLOCK)
"""Nanoseconds that a frame may lie beside its place: one tick, which is as exactly as a transport stream tells time."""


class Mismatch(Exception):
    """Something came back from the store differently from how it went in; the message names it."""


def check_listing(expected: Sequence[MediaObject], listed: Sequence[StoredSegment], *, epoch: int) -> None:
    """The segments listed are exactly those expected, in order, with the timing that they were registered with."""
    if len(listed) != len(expected):
        raise Mismatch(f"the store lists {len(listed)} segments where {len(expected)} were registered")
    for media, segment in zip(expected, listed, strict=True):
        piece = media.piece
        try:
            said = (segment.span, segment.offset, segment.key_frame_count)
        except ValueError as error:
            raise Mismatch(f"{_name(piece)}: {error}") from error
        if said != (meant := (piece.span(epoch), media.offset(epoch), piece.key_frames)):
            raise Mismatch(f"{_name(piece)} was registered as {_words(meant)}, and is listed as {_words(said)}")
        if (segment.init_object is not None) is not bool(media.init):
            raise Mismatch(f"{_name(piece)} is listed {'without' if media.init else 'with'} an init segment")
        if not segment.get_urls or (segment.init_object is not None and not segment.init_object.get_urls):
            raise Mismatch(f"{_name(piece)} is listed without an address to get it from")


def check_extent(objects: Sequence[MediaObject], extent: str | None, *, epoch: int) -> None:
    """The flow reaches from the first segment's start to the last one's end."""
    whole = Span(objects[0].piece.span(epoch).start, objects[-1].piece.span(epoch).end)
    if extent != str(whole):
        raise Mismatch(f"the {objects[0].piece.track.kind} flow should reach over {whole}, the store says {extent}")


def check_init(media: MediaObject, content: bytes) -> None:
    """The init segment is the one that the media object was made with."""
    if content != media.init:
        raise Mismatch(f"the init segment of {_name(media.piece)} came back with other bytes")


def check_bytes(media: MediaObject, content: bytes) -> None:
    """Every byte is the one that was made."""
    if len(content) != media.size or hashlib.sha256(content).hexdigest() != media.sha256:
        raise Mismatch(f"{_name(media.piece)} came back with other bytes: {media.size:,} in, {len(content):,} out")


def check_frames(piece: Piece, content: bytes, *, segment: StoredSegment, epoch: int, wrapping: Wrapping = TS) -> int:
    """Decode `content` by itself and find each frame of `piece` at its time on the flow; returns how many there are.

    What needs an init segment has it before it.
    """
    try:
        with av.open(io.BytesIO(content), "r", format=wrapping.muxer) as container:
            stream = container.streams[0]
            base = stream.time_base or Fraction(1, CLOCK)
            frames = [frame for frame in container.decode(stream) if isinstance(frame, VideoFrame | AudioFrame)]
            times = [nanoseconds((frame.pts or 0) * base) + segment.offset for frame in frames]
    except av.FFmpegError as error:
        raise Mismatch(f"{_name(piece)} cannot be decoded: {error}") from error
    if len(times) != len(piece.times):
        raise Mismatch(f"{_name(piece)} holds {len(piece.times)} frames, {len(times)} could be decoded")
    for place, (found, due) in enumerate(zip(times, piece.times, strict=True)):
        if abs(found - epoch - nanoseconds(due)) > TOLERANCE:
            raise Mismatch(f"{_name(piece)}: frame {place} is presented {found - epoch - nanoseconds(due)} ns off")
    return len(times)


def _name(piece: Piece) -> str:
    return f"{piece.track.kind} segment {piece.number}"


def _words(timing: tuple[Span, int, int | None]) -> str:
    span, offset, key_frames = timing
    return f"{span} with ts_offset {write_timestamp(offset)} and {key_frames} key frames"
