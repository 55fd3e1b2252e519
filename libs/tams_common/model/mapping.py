"""Where a flow's essence lies in its container (s/container-mapping, FLW-47)."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from tams_common.model.values import NonNegative, Whole

_HEX4 = "[0-9a-fA-F]{4}"
_HEX8 = "[0-9a-fA-F]{8}"
_UMID = rf"urn:smpte:umid:{_HEX8}(.{_HEX8}){{7}}"
_UUID = rf"urn:uuid:{_HEX8}-{_HEX4}-{_HEX4}-{_HEX4}-[0-9a-fA-F]{{12}}"


class AudioTrack(Struct, frozen=True, kw_only=True):
    """Which channels of an audio track are the flow's, in the flow's order; channels count from zero."""

    channel_numbers: Annotated[tuple[NonNegative, ...], Meta(min_length=1)] | UnsetType = UNSET
    channel_range: Annotated[str, Meta(pattern=r"\A[0-9]+_[0-9]+\Z")] | UnsetType = UNSET


class Mp2tsContainer(Struct, frozen=True):
    """Place in an MPEG-2 transport stream."""

    pid: Whole | UnsetType = UNSET


class MxfContainer(Struct, frozen=True, kw_only=True):
    """Place in a Material Exchange Format file: a UMID or UUID URN, and the track."""

    package_uid: Annotated[str, Meta(pattern=rf"\A({_UMID}|{_UUID})\Z")] | UnsetType = UNSET
    track_id: Whole | UnsetType = UNSET


class IsobmffContainer(Struct, frozen=True):
    """Place in an ISO base media file."""

    track_id: Whole | UnsetType = UNSET


class ContainerMapping(Struct, frozen=True, kw_only=True):
    """The tracks of a container that hold a flow; track indexes count from zero."""

    track_index: NonNegative | UnsetType = UNSET
    format_track_index: NonNegative | UnsetType = UNSET
    audio_track: AudioTrack | UnsetType = UNSET
    mp2ts_container: Mp2tsContainer | UnsetType = UNSET
    mxf_container: MxfContainer | UnsetType = UNSET
    isobmff_container: IsobmffContainer | UnsetType = UNSET
