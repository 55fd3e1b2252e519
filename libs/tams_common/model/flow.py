"""A flow: what all flows have in common, its technical metadata, and what the store adds (s/flow-get, s/flow-put).

The JSON of a flow is one object that these parts make up together; each is decoded from it, and passes over the members
of the others. Members that no part knows are accepted and dropped (FLW-28).
"""

from typing import Annotated, Literal

from msgspec import UNSET, Raw, Struct, UnsetType

from tams_common.ids import FlowId, ProfileId, SourceId
from tams_common.model.mapping import ContainerMapping
from tams_common.model.technical import Technical
from tams_common.model.values import UUID, UUID_OR_EMPTY, FlowStatus, NonNegative, Tags


class CollectionItem(Struct, frozen=True, kw_only=True):
    """A member of a flow's collection; `role` is free text (COL-2, COL-13)."""

    id: Annotated[FlowId, UUID]
    role: str | UnsetType = UNSET
    container_mapping: ContainerMapping | UnsetType = UNSET


class FlowCommon(Struct, frozen=True, kw_only=True):
    """The members that do not depend on the format (s/flow-common). `max_bit_rate` is in 1000 bit/s; `flow_collection`
    keeps its order (COL-1)."""

    id: Annotated[FlowId, UUID]
    source_id: Annotated[SourceId, UUID]
    label: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    created_by: str | UnsetType = UNSET
    updated_by: str | UnsetType = UNSET
    tags: Tags = {}
    metadata_version: str | UnsetType = UNSET
    generation: NonNegative | UnsetType = UNSET
    status: FlowStatus | UnsetType = UNSET
    read_only: bool | UnsetType = UNSET
    max_bit_rate: NonNegative | UnsetType = UNSET
    flow_collection: tuple[CollectionItem, ...] | UnsetType = UNSET


class ProfileFlow(FlowCommon, frozen=True, kw_only=True):
    """The body of a PUT that takes its technical metadata from a profile (PRF-14)."""

    profile_id: Annotated[ProfileId, UUID]

    def common(self) -> FlowCommon:
        """Its members but for the profile."""
        return FlowCommon(**{name: getattr(self, name) for name in FlowCommon.__struct_fields__})


class FlowStamp(Struct, frozen=True, kw_only=True):
    """The members that only the store sets; a PUT's are passed over (FLW-18). Date-times are `clock.date_time`'s."""

    profile_id: ProfileId | UnsetType = UNSET
    created: str
    metadata_updated: str
    collected_by: tuple[FlowId, ...] = ()


class Flow(Struct, frozen=True):
    """A flow without what the store adds. `profile_id` names the profile that its technical metadata comes from; empty,
    in a body that is PUT, takes that link away (PRF-20)."""

    common: FlowCommon
    technical: Technical
    profile_id: ProfileId | Literal[""] | UnsetType = UNSET


class FlowLink(Struct, frozen=True, kw_only=True):
    """Which of the two kinds of body a PUT has: beside a `profile_id` no member that a profile can hold may stand,
    whatever its value (PRF-15, T-14)."""

    profile_id: Annotated[ProfileId, UUID_OR_EMPTY] | UnsetType = UNSET
    format: Raw = Raw()
    codec: Raw = Raw()
    container: Raw = Raw()
    avg_bit_rate: Raw = Raw()
    segment_duration: Raw = Raw()
    container_mapping: Raw = Raw()
    essence_parameters: Raw = Raw()

    def __post_init__(self) -> None:
        if not self.profile_id:
            return
        for name in self.__struct_fields__[1:]:
            if bytes(getattr(self, name)):
                raise ValueError(f"`{name}` must not be set beside `profile_id` (PRF-15)")
