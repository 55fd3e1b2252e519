"""Cutting a clip into media objects: one file for each stretch of each track, without re-encoding."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Final

import av
from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.stream import Stream

from tams_demo.clip import Clip, Track
from tams_demo.timeline import Span, nanoseconds, nearest
from tams_demo.wrapping import TS, Wrapping

LEAD: Final = Fraction(10)
"""Seconds that media objects count before the first picture, so that decoding times stay positive before reordering."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a track that becomes one media object: packets `first` to `last` (exclusive) of its stream.

    `times` are the presentation times of its frames in order, in seconds; it covers `times[0]` up to `end`.
    """

    track: Track
    number: int
    first: int
    last: int
    times: tuple[Fraction, ...]
    end: Fraction
    key_frames: int

    def span(self, epoch: int) -> Span:
        """Its segment's timerange on a flow that begins at `epoch` nanoseconds."""
        return Span(epoch + nanoseconds(self.times[0]), epoch + nanoseconds(self.end))


@dataclass(frozen=True, slots=True)
class MediaObject:
    """A file that holds one piece; `media_start` is the time of its first frame by the clock in the file, in ticks.

    `init` is the init segment without which it cannot be decoded, empty where there is none.
    """

    piece: Piece
    path: Path
    size: int
    sha256: str
    media_start: int
    wrapping: Wrapping = TS
    init: bytes = b""

    def offset(self, epoch: int) -> int:
        """Nanoseconds to add to a time in the file for its time on the flow: the segment's `ts_offset`."""
        return self.piece.span(epoch).start - nanoseconds(
            Fraction(self.media_start, self.wrapping.clock(self.piece.track))
        )


def plan(clip: Clip, target: Fraction) -> list[list[Piece]]:
    """Where to cut each track: at the first key frame in each stretch of `target` seconds, other tracks beside it.

    The pieces of a track are contiguous: each ends where the next begins.
    """
    cuts: list[Fraction] = []
    lead = clip.tracks[0]
    for at, key in zip(lead.at, lead.keys, strict=True):
        if at is not None and key and (not cuts or at // target > cuts[-1] // target):
            cuts.append(at)
    return [_pieces(track, cuts) for track in clip.tracks]


def _pieces(track: Track, cuts: Sequence[Fraction]) -> list[Piece]:
    waiting = deque(cuts)
    starts: list[int] = []
    for ordinal, at in enumerate(track.at):
        if at is None or not track.keys[ordinal] or not waiting or at < waiting[0]:
            continue
        starts.append(ordinal)
        while waiting and at >= waiting[0]:
            waiting.popleft()
    ranges = list(pairwise([*starts, len(track.at)]))
    times = [tuple(sorted(at for at in track.at[first:last] if at is not None)) for first, last in ranges]
    ends = [*(following[0] for following in times[1:]), track.end]
    return [
        Piece(track, number, first, last, times[number], ends[number], sum(track.keys[first:last]))
        for number, (first, last) in enumerate(ranges)
    ]


def write(clip: Clip, pieces: Sequence[Piece], *, folder: Path, wrapping: Wrapping = TS) -> Iterator[MediaObject]:
    """Copy the packets of each of a track's pieces into a file of its own in `folder`, one file at a time."""
    with av.open(clip.path) as container:
        source = container.streams[pieces[0].track.stream]
        packets = (packet for packet in container.demux(source) if packet.size)
        decode = _decode_times(pieces[0].track)
        for _ in islice(packets, pieces[0].first):
            pass
        for piece in pieces:
            own = enumerate(islice(packets, piece.last - piece.first), piece.first)
            media = MediaObject(
                piece, folder / f"{piece.track.kind}-{piece.number:05}.{wrapping.suffix}", 0, "", 0, wrapping
            )
            yield _written(media, own, decode=decode, source=source)


def _written(
    media: MediaObject,
    packets: Iterable[tuple[int, "Packet[Stream]"]],
    *,
    decode: Sequence[Fraction | None],
    source: Stream,
) -> MediaObject:
    piece, wrapping, clock = media.piece, media.wrapping, media.wrapping.clock(media.piece.track)
    first = next(time for time in decode[piece.first :] if time is not None)
    # Where the clock starts again (in transport streams after 26.5 hours), the rest of the time is in `ts_offset`.
    turns = 0 if wrapping.wrap is None else nearest(first + LEAD, clock) // wrapping.wrap * wrapping.wrap
    with av.open(media.path, "w", format=wrapping.muxer, options=dict(wrapping.options)) as output:
        target = output.add_stream_from_template(source)
        filtered = BitStreamFilterContext(wrapping.sound_filter if piece.track.kind == "audio" else "null", source)
        for ordinal, packet in packets:
            at, decoded = piece.track.at[ordinal], decode[ordinal]
            if at is None or decoded is None:
                continue
            packet.time_base = Fraction(1, clock)
            packet.pts = nearest(at + LEAD, clock) - turns
            packet.dts = nearest(decoded + LEAD, clock) - turns
            packet.duration = 0
            for ready in filtered.filter(packet):
                ready.stream = target
                output.mux_one(ready)
    init, content = wrapping.split(media.path.read_bytes())
    media.path.write_bytes(content)
    return replace(
        media,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        media_start=nearest(piece.times[0] + LEAD, clock) - turns,
        init=init,
    )


def _decode_times(track: Track) -> list[Fraction | None]:
    """When each packet is due at the decoder: evenly like the pictures, early enough for those shown out of order."""
    shown = sorted(track.times)
    early = max((due - at for due, at in zip(shown, track.times, strict=True)), default=Fraction(0))
    due = iter(shown)
    return [None if at is None else next(due) - early for at in track.at]
