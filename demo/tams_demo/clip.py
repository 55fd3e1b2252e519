"""What a clip holds: its tracks, their parameters, and the exact place of every coded frame in time."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path


class UnusableClip(Exception):
    """The file holds nothing that the demo can store; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The parameters of a video track; `rate` is in frames a second, None where they do not follow a fixed one."""

    width: int
    height: int
    rate: Fraction | None
    pixel_aspect: Fraction
    avc: tuple[int, int, int]
    """H.264 profile, constraint flags and level, as in the bytes of the sequence parameter set."""
    color_space: int
    transfer: int
    field_order: int


@dataclass(frozen=True, slots=True)
class Sound:
    """The parameters of an audio track."""

    sample_rate: int
    channels: int


@dataclass(frozen=True, slots=True)
class Track:
    """One track, frame by frame in the order of the file.

    `at` is each frame's presentation time in seconds from the clip's first picture, None for a frame to leave out (what
    an encoder puts before the first sound); `keys` says which frames decoding may start at. `flaw` says why the frames
    cannot be stored as they are.
    """

    stream: int
    essence: Picture | Sound
    at: tuple[Fraction | None, ...]
    keys: tuple[bool, ...]
    end: Fraction
    flaw: str | None

    @property
    def kind(self) -> str:
        """`video` or `audio`."""
        return "video" if isinstance(self.essence, Picture) else "audio"

    @property
    def times(self) -> list[Fraction]:
        """The presentation times of the frames that are kept, in the order of the file."""
        return [at for at in self.at if at is not None]


@dataclass(frozen=True, slots=True)
class Clip:
    """A media file and its one or two tracks; its time line begins at `origin` seconds of the file's own."""

    path: Path
    tracks: tuple[Track, ...]
    origin: Fraction

    @property
    def flaw(self) -> str | None:
        """Why the clip has to be encoded anew before it is cut; None if it can be cut as it is."""
        return next((f"{track.kind}: {track.flaw}" for track in self.tracks if track.flaw), None)

    @property
    def end(self) -> Fraction:
        """Where the longest track ends, in seconds."""
        return max(track.end for track in self.tracks)
