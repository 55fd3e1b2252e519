"""How coded frames become media objects: MPEG transport streams, or fragments of MP4 that share an init segment."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tams_demo.clip import Sound, Track
from tams_demo.timeline import CLOCK, WRAP

_HEAD: Final = 8
"""Bytes before the content of a box: its length and its kind."""


@dataclass(frozen=True, slots=True)
class Wrapping:
    """A kind of media object, by the `name` of one and of several. `muxer` and `options` are what FFmpeg is told.

    `media` and `init` are the media types of objects and of their init segments, by kind of track; without the latter
    there are none. `wrap` is where the clock in a file starts again, in its ticks; None if it never does.
    `sound_filter` is FFmpeg's bitstream filter for coded sound.
    """

    name: str
    plural: str
    suffix: str
    muxer: str
    options: Mapping[str, str]
    media: Mapping[str, str]
    init: Mapping[str, str]
    wrap: int | None
    sound_filter: str

    def clock(self, track: Track) -> int:
        """Ticks a second of the clock in a file: sound in MP4 counts samples."""
        return track.essence.sample_rate if self.init and isinstance(track.essence, Sound) else CLOCK

    def split(self, content: bytes) -> tuple[bytes, bytes]:
        """What was muxed as init segment (empty where there is none) and media segment."""
        if not self.init:
            return b"", content
        starts = dict(_boxes(content))
        return content[: starts[b"moof"]], content[starts[b"moof"] : starts.get(b"mfra", len(content))]


TS: Final = Wrapping(
    name="MPEG transport stream",
    plural="transport streams",
    suffix="ts",
    muxer="mpegts",
    options={
        "mpegts_copyts": "1",
        "avoid_negative_ts": "disabled",
        # One audio frame in a packet of its own, so that each carries its own time.
        "pes_payload_size": "0",
    },
    media={"video": "video/mp2t", "audio": "video/mp2t"},
    init={},
    wrap=WRAP,
    sound_filter="null",
)
FMP4: Final = Wrapping(
    name="fragment of MP4",
    plural="fragments of MP4",
    suffix="m4s",
    muxer="mp4",
    options={
        # One fragment for all frames, with their own times, behind a header that tells nothing of them.
        "movflags": "+frag_custom+empty_moov+delay_moov+default_base_moof+frag_discont",
        "avoid_negative_ts": "disabled",
        "use_editlist": "0",
        "video_track_timescale": str(CLOCK),
    },
    media={"video": "video/iso.segment", "audio": "audio/mp4"},
    init={"video": "video/mp4", "audio": "audio/mp4"},
    wrap=None,
    # Sound out of a transport stream has a header before each frame.
    sound_filter="aac_adtstoasc",
)
WRAPPINGS: Final = {"ts": TS, "fmp4": FMP4}
"""By their names on the command line."""


def _boxes(content: bytes) -> Iterator[tuple[bytes, int]]:
    """The kind and the start of each box at the top: none comes twice in a file of one fragment."""
    at = 0
    while at + _HEAD <= len(content):
        length = int.from_bytes(content[at : at + 4])
        if length == 1:
            length = int.from_bytes(content[at + _HEAD : at + 2 * _HEAD])
        yield content[at + 4 : at + _HEAD], at
        at += max(length, _HEAD)
