"""The request bodies that describe a clip to a store: one flow for each track, and one that collects them."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from tams_demo.clip import Picture, Sound, Track
from tams_demo.cutting import MediaObject
from tams_demo.scanning import AAC_FRAME
from tams_demo.timeline import NANOSECONDS

_AAC_LC: Final = 2
_COLOR_SPACES: Final = {1: "BT709", 5: "BT601", 6: "BT601", 9: "BT2020"}
_TRANSFERS: Final = {1: "SDR", 6: "SDR", 16: "PQ", 18: "HLG"}
_FIELD_ORDERS: Final = {1: "progressive", 2: "interlaced_tff", 3: "interlaced_bff"}


class Ratio(Struct, frozen=True):
    """An exact fraction."""

    numerator: int
    denominator: int

    @classmethod
    def of(cls, value: Fraction) -> "Ratio":
        """The same value as the specification writes it."""
        return cls(value.numerator, value.denominator)


class AvcParameters(Struct, frozen=True):
    """The three bytes of an H.264 codec string."""

    profile: int
    level: int
    flags: int


class VideoParameters(Struct, frozen=True, omit_defaults=True):
    """`essence_parameters` of a video flow; what is not known stays unset."""

    frame_width: int
    frame_height: int
    avc_parameters: AvcParameters
    aspect_ratio: Ratio
    pixel_aspect_ratio: Ratio
    bit_depth: int
    component_type: str
    horiz_chroma_subs: int
    vert_chroma_subs: int
    frame_rate: Ratio | None = None
    vfr: bool | None = None
    interlace_mode: str | None = None
    colorspace: str | None = None
    transfer_characteristic: str | None = None
    init_segments: bool = False


class AudioCodecParameters(Struct, frozen=True):
    """How AAC is coded: samples in a frame, and the MPEG-4 audio object type."""

    coded_frame_size: int
    mp4_oti: int


class AudioParameters(Struct, frozen=True, omit_defaults=True):
    """`essence_parameters` of an audio flow; `sample_rate` in samples a second."""

    sample_rate: int
    channels: int
    codec_parameters: AudioCodecParameters
    init_segments: bool = False


class Member(Struct, frozen=True):
    """A flow in a collection, and what it is there for."""

    id: UUID
    role: str | None = None


class FlowBody(Struct, frozen=True, omit_defaults=True):
    """The body of `PUT /flows/{id}`; bit rates in 1000 bit/s, `segment_duration` in seconds."""

    id: UUID
    source_id: UUID
    format: str
    label: str
    description: str
    codec: str | None = None
    container: str | None = None
    avg_bit_rate: int | None = None
    max_bit_rate: int | None = None
    segment_duration: Ratio | None = None
    essence_parameters: VideoParameters | AudioParameters | None = None
    flow_collection: tuple[Member, ...] | None = None


class Ids(Struct, frozen=True):
    """The identity of a flow and of its source."""

    flow: UUID
    source: UUID


def track_flow(ids: Ids, objects: Sequence[MediaObject], *, label: str, target: Fraction) -> FlowBody:
    """The flow of one track, which is stored as `objects` of about `target` seconds each."""
    track, wrapping = objects[0].piece.track, objects[0].wrapping
    average, peak = bit_rates(objects, target)
    return FlowBody(
        id=ids.flow,
        source_id=ids.source,
        format=f"urn:x-nmos:format:{track.kind}",
        label=f"{label}, {track.kind}",
        description=f"The {track.kind} of {label}, one {wrapping.name} for each segment",
        codec="video/h264" if track.kind == "video" else "audio/aac",
        container=wrapping.media[track.kind],
        avg_bit_rate=average,
        max_bit_rate=peak,
        segment_duration=Ratio.of(target),
        essence_parameters=replace(_parameters(track), init_segments=bool(wrapping.init)),
    )


def collecting_flow(ids: Ids, members: Sequence[FlowBody], *, label: str) -> FlowBody:
    """The flow that says which flows belong together; it holds no media of its own, hence no container."""
    return FlowBody(
        id=ids.flow,
        source_id=ids.source,
        format="urn:x-nmos:format:multi",
        label=label,
        description=f"{label}: its tracks, each stored as a flow of its own on a common time line",
        flow_collection=tuple(Member(member.id, member.format.rpartition(":")[2]) for member in members),
    )


def bit_rates(objects: Sequence[MediaObject], target: Fraction) -> tuple[int, int]:
    """Average and peak in 1000 bit/s: the peak is that of any run of segments from 0.5 to 1.5 `target` seconds long."""
    bits = [8 * each.size for each in objects]
    lengths = [Fraction(each.piece.span(0).length, NANOSECONDS) for each in objects]
    shortest, longest = target / 2, target * 3 / 2
    peak = Fraction(0)
    for first in range(len(objects)):
        runs = zip(accumulate(bits[first:]), accumulate(lengths[first:]), strict=True)
        for place, (size, length) in enumerate(runs):
            if length > longest and place:
                break
            if length >= shortest:
                peak = max(peak, size / length)
    average = sum(bits) / sum(lengths, Fraction(0))
    return int(average / 1000), int(max(peak, average) / 1000)


def _parameters(track: Track) -> VideoParameters | AudioParameters:
    match track.essence:
        case Picture() as picture:
            profile, flags, level = picture.avc
            return VideoParameters(
                frame_width=picture.width,
                frame_height=picture.height,
                avc_parameters=AvcParameters(profile=profile, level=level, flags=flags),
                aspect_ratio=Ratio.of(Fraction(picture.width, picture.height) * picture.pixel_aspect),
                pixel_aspect_ratio=Ratio.of(picture.pixel_aspect),
                bit_depth=8,
                component_type="YCbCr",
                horiz_chroma_subs=2,
                vert_chroma_subs=2,
                frame_rate=Ratio.of(picture.rate) if picture.rate else None,
                vfr=None if picture.rate else True,
                interlace_mode=_FIELD_ORDERS.get(picture.field_order),
                colorspace=_COLOR_SPACES.get(picture.color_space),
                transfer_characteristic=_TRANSFERS.get(picture.transfer),
            )
        case Sound() as sound:
            return AudioParameters(sound.sample_rate, sound.channels, AudioCodecParameters(AAC_FRAME, _AAC_LC))
