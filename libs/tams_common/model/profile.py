"""A profile: technical metadata under one name, that never changes and that flows can be made from (s/profile)."""

from typing import Annotated, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from tams_common.ids import ProfileId
from tams_common.model.technical import AudioTechnical, DataTechnical, ImageTechnical, VideoTechnical
from tams_common.model.values import UUID, Tags

FlowMetadata: TypeAlias = VideoTechnical | AudioTechnical | ImageTechnical | DataTechnical
"""The technical metadata of one essence: a profile has no `multi` format (PRF-6)."""


class NewProfile(Struct, frozen=True, kw_only=True):
    """The body of a POST (PRF-4). Who made it and when is passed over (PRF-9); its tags are no flow's (PRF-10)."""

    id: Annotated[ProfileId, UUID]
    label: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    created_by: str | UnsetType = UNSET
    tags: Tags = {}
    flow_metadata: FlowMetadata


class Profile(Struct, frozen=True, kw_only=True):
    """A profile as GET shows it; `created` as `clock.date_time` writes it."""

    id: ProfileId
    label: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    created_by: str | UnsetType = UNSET
    created: str
    tags: Tags = {}
    flow_metadata: FlowMetadata
