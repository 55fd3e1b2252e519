"""A webhook: where events go, which ones, and how their segments are shown (s/webhook, WHK-4 to WHK-30)."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from tams_common.ids import FlowId, SourceId
from tams_common.model.values import UUID, Tags

EventType: TypeAlias = Literal[
    "flows/created",
    "flows/updated",
    "flows/deleted",
    "flows/segments_added",
    "flows/segments_deleted",
    "sources/created",
    "sources/updated",
    "sources/deleted",
]
"""The exact strings of EVT-9."""


class Webhook(Struct, frozen=True, kw_only=True):
    """What GET shows of a webhook, but for `id`, `status` and `error`, and never its secret (WHK-7).

    An absent filter does not restrict, an empty one does (WHK-25): the two stay apart.
    """

    url: str
    api_key_name: str | UnsetType = UNSET
    events: tuple[EventType, ...]
    flow_ids: tuple[Annotated[FlowId, UUID], ...] | UnsetType = UNSET
    source_ids: tuple[Annotated[SourceId, UUID], ...] | UnsetType = UNSET
    flow_collected_by_ids: tuple[Annotated[FlowId, UUID], ...] | UnsetType = UNSET
    source_collected_by_ids: tuple[Annotated[SourceId, UUID], ...] | UnsetType = UNSET
    accept_get_urls: tuple[str, ...] | UnsetType = UNSET
    accept_storage_ids: tuple[Annotated[str, UUID], ...] | UnsetType = UNSET
    presigned: bool | UnsetType = UNSET
    verbose_storage: bool | UnsetType = UNSET
    include_object_timerange: bool | UnsetType = UNSET
    tags: Tags = {}
