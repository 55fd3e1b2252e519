"""Making a clip where none is given: a moving test picture with its frame number burnt in, and a tone that beeps."""

import heapq
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.filter import Graph

from tams_demo.encoding import SAMPLE_RATE, Frame, Shape, Tick, encode, time_of

RATE: Final = 25
"""Frames a second."""
_BT709: Final = 1
_SHAPE: Final = Shape(width=640, height=360, rate=Fraction(RATE), time_base=Fraction(1, RATE), color=_BT709)


def record(path: Path, *, seconds: int, segment: Fraction, tick: Tick) -> None:
    """Write `seconds` of H.264 and AAC as an MP4 at `path`, ready to be cut into segments of `segment` seconds."""
    pictures = _drawn(
        ("testsrc2", f"size={_SHAPE.width}x{_SHAPE.height}:rate={RATE}:duration={seconds}"),
        ("format", "pix_fmts=yuv420p:color_spaces=bt709:color_ranges=tv"),
        ("buffersink", None),
    )
    sound = _drawn(
        ("sine", f"frequency=440:beep_factor=4:sample_rate={SAMPLE_RATE}:duration={seconds}"),
        ("aformat", "sample_fmts=fltp:channel_layouts=stereo"),
        ("abuffersink", None),
    )
    encode(heapq.merge(pictures, sound, key=time_of), path, shape=_SHAPE, segment=segment, tick=tick)


def _drawn(*filters: tuple[str, str | None]) -> Iterator[Frame]:
    """The frames that a chain of filters generates by itself."""
    graph = Graph()
    graph.link_nodes(*(graph.add(name, options) for name, options in filters)).configure()
    while True:
        try:
            yield graph.pull()
        except av.EOFError:
            return
