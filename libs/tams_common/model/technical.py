"""The technical metadata of a flow, tagged by `format`: what a profile can hold, too (s/flow-technical, PRF-6).

The rules that the schemas only have in prose are enforced, each with a message that names it (FLW-32, T-78).
"""

from typing import Final, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from tams_common.model.essence import (
    AudioEssence,
    DataEssence,
    ImageEssence,
    MultiEssence,
    Rational,
    VideoEssence,
)
from tams_common.model.mapping import ContainerMapping
from tams_common.model.values import AUDIO, DATA, IMAGE, MULTI, VIDEO, MimeType, NonNegative

_YUV: Final = frozenset({"YUYV", "UYVY", "AYUV", "v210", "v216"})
_FLOAT_DEPTHS: Final = (32, 64)


class _Technical(Struct, frozen=True, kw_only=True, tag_field="format"):
    """What all formats share: bit rate in 1000 bit/s, the target duration of a segment in seconds (FLW-27, FLW-35)."""

    container: MimeType | UnsetType = UNSET
    avg_bit_rate: NonNegative | UnsetType = UNSET
    segment_duration: Rational | UnsetType = UNSET
    container_mapping: ContainerMapping | UnsetType = UNSET


class VideoTechnical(_Technical, frozen=True, kw_only=True, tag=VIDEO):
    """A video flow's (FLW-26, FLW-29)."""

    codec: MimeType
    essence_parameters: VideoEssence

    def __post_init__(self) -> None:
        _check_raw_video(self.codec, self.essence_parameters)


class AudioTechnical(_Technical, frozen=True, kw_only=True, tag=AUDIO):
    """An audio flow's (FLW-26, FLW-31)."""

    codec: MimeType
    essence_parameters: AudioEssence

    def __post_init__(self) -> None:
        _check_raw_audio(self.codec, self.essence_parameters)


class ImageTechnical(_Technical, frozen=True, kw_only=True, tag=IMAGE):
    """An image flow's (FLW-26, FLW-33)."""

    codec: MimeType
    essence_parameters: ImageEssence


class DataTechnical(_Technical, frozen=True, kw_only=True, tag=DATA):
    """A data flow's (FLW-26, FLW-33)."""

    codec: MimeType
    essence_parameters: DataEssence


class MultiTechnical(_Technical, frozen=True, kw_only=True, tag=MULTI):
    """A multi flow's: everything but the format is optional (FLW-34)."""

    codec: MimeType | UnsetType = UNSET
    essence_parameters: MultiEssence | UnsetType = UNSET


Technical: TypeAlias = VideoTechnical | AudioTechnical | ImageTechnical | DataTechnical | MultiTechnical


def has_init_segments(technical: Technical) -> bool:
    """Whether the flow's media objects need an initialisation object; false when nothing says so (FLW-7, INI-1)."""
    match technical.essence_parameters:
        case VideoEssence(init_segments=True) | AudioEssence(init_segments=True):
            return True
        case DataEssence(init_segments=True) | MultiEssence(init_segments=True):
            return True
        case _:
            return False


def _check_raw_video(codec: str, essence: VideoEssence) -> None:
    layout = essence.unc_parameters
    if codec == "video/raw":
        _require(essence.bit_depth is not UNSET, "bit_depth", rule="be set when `codec` is video/raw")
        _require(layout is not UNSET, "unc_parameters.unc_type", rule="be set when `codec` is video/raw")
    if layout is not UNSET and layout.unc_type in _YUV:
        for name in ("horiz_chroma_subs", "vert_chroma_subs"):
            _require(getattr(essence, name) is not UNSET, name, rule=f"be set when `unc_type` is {layout.unc_type}")


def _check_raw_audio(codec: str, essence: AudioEssence) -> None:
    if codec == "audio/x-raw-int":
        _require(essence.bit_depth is not UNSET, "bit_depth", rule=f"be set when `codec` is {codec}")
    elif codec == "audio/x-raw-float":
        _require(essence.bit_depth in _FLOAT_DEPTHS, "bit_depth", rule=f"be 32 or 64 when `codec` is {codec}")
    else:
        return
    _require(essence.unc_parameters is not UNSET, "unc_parameters.unc_type", rule=f"be set when `codec` is {codec}")


def _require(holds: bool, member: str, *, rule: str) -> None:
    if not holds:
        raise ValueError(f"`essence_parameters.{member}` must {rule} (FLW-32)")
