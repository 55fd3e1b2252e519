"""The essence parameters of the five formats. Members that the schema does not know are refused (FLW-28)."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from tams_common.model.values import Positive, Whole


class Ratio(Struct, frozen=True):
    """A ratio of which both parts are given, such as a display aspect ratio."""

    numerator: Positive
    denominator: Positive


class Rational(Struct, frozen=True):
    """A number whose denominator is 1 when it is not given: frames per second, seconds (FLW-35)."""

    numerator: Positive
    denominator: Positive | UnsetType = UNSET


class UncompressedVideo(Struct, frozen=True):
    """How the components of raw video lie in memory."""

    unc_type: Literal[
        "planar", "YUYV", "UYVY", "AYUV", "v210", "v216", "RGB", "RGBx", "xRGB", "BGRx", "xBGR", "RGBA", "ARGB", "BGRA",
        "ABGR", "alpha",
    ]  # fmt: skip


class AvcParameters(Struct, frozen=True):
    """Profile, level and constraint flags of H.264 video."""

    profile: Whole
    level: Whole
    flags: Whole


class VideoEssence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Video: sizes in pixels, `bit_depth` in bits; fixed frame rate unless `vfr` (FLW-29, FLW-30)."""

    frame_width: Positive
    frame_height: Positive
    bit_depth: Positive | UnsetType = UNSET
    interlace_mode: Literal["progressive", "interlaced_tff", "interlaced_bff", "interlaced_psf"] | UnsetType = UNSET
    colorspace: Literal["BT601", "BT709", "BT2020", "BT2100"] | UnsetType = UNSET
    transfer_characteristic: Literal["SDR", "HLG", "PQ"] | UnsetType = UNSET
    aspect_ratio: Ratio | UnsetType = UNSET
    pixel_aspect_ratio: Ratio | UnsetType = UNSET
    component_type: Literal["YCbCr", "RGB"] | UnsetType = UNSET
    horiz_chroma_subs: Positive | UnsetType = UNSET
    vert_chroma_subs: Positive | UnsetType = UNSET
    unc_parameters: UncompressedVideo | UnsetType = UNSET
    avc_parameters: AvcParameters | UnsetType = UNSET
    frame_rate: Rational | UnsetType = UNSET
    vfr: bool | UnsetType = UNSET
    init_segments: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        variable = self.vfr is True
        if not variable and self.frame_rate is UNSET:
            raise ValueError("`frame_rate` must be set unless `vfr` is true (FLW-30)")
        if variable and self.frame_rate is not UNSET:
            raise ValueError("`frame_rate` must not be set when `vfr` is true (FLW-30)")


class CodedAudio(Struct, frozen=True, kw_only=True):
    """Samples per coded frame, and the MPEG-4 object type indication."""

    coded_frame_size: Whole | UnsetType = UNSET
    mp4_oti: Whole | UnsetType = UNSET


class UncompressedAudio(Struct, frozen=True):
    """How the channels of raw audio lie in memory."""

    unc_type: Literal["interleaved", "planar", "pairs"]


class AudioEssence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Audio: samples per second, channel count, `bit_depth` in bits (FLW-31)."""

    sample_rate: Positive
    channels: Positive
    bit_depth: Positive | UnsetType = UNSET
    codec_parameters: CodedAudio | UnsetType = UNSET
    unc_parameters: UncompressedAudio | UnsetType = UNSET
    init_segments: bool | UnsetType = UNSET


class ImageEssence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Still images: size in pixels. They have no initialisation segments (FLW-33)."""

    frame_width: Positive
    frame_height: Positive
    aspect_ratio: Ratio | UnsetType = UNSET


class DataEssence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Data: `data_type` is a URN for what is encoded (FLW-33)."""

    data_type: str | UnsetType = UNSET
    init_segments: bool | UnsetType = UNSET


class MultiEssence(Struct, frozen=True, forbid_unknown_fields=True):
    """Several essences in one: only whether initialisation segments are used (FLW-34)."""

    init_segments: bool | UnsetType = UNSET
