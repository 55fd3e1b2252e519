"""A webhook: where events go, which ones, and how their segments are shown (s/webhook, WHK-4 to WHK-30)."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

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

Asked: TypeAlias = Literal["created", "disabled"]
"""The status that a client may ask for (WHK-4, WHK-10)."""

ApiKeyName: TypeAlias = Annotated[str, Meta(max_length=256)]
ApiKeyValue: TypeAlias = Annotated[str, Meta(max_length=4096)]


class Webhook(Struct, frozen=True, kw_only=True):
    """What GET shows of a webhook, but for `id`, `status` and `error`, and never its secret (WHK-7).

    An absent filter does not restrict, an empty one does (WHK-25): the two stay apart.
    """

    url: str
    api_key_name: ApiKeyName | UnsetType = UNSET
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


class WebhookPost(Webhook, frozen=True, kw_only=True):
    """The body of POST (s/webhook-post); members that it does not know are ignored."""

    api_key_value: ApiKeyValue | UnsetType = UNSET
    status: Asked = "created"

    __repr__ = object.__repr__  # what is printed by accident has no secret in it


class WebhookPut(WebhookPost, frozen=True, kw_only=True):
    """The body of PUT (s/webhook-put)."""

    id: Annotated[str, UUID]
    status: Asked


def shown(body: Webhook) -> Webhook:
    """`body` without what GET does not show."""
    return Webhook(**{name: getattr(body, name) for name in Webhook.__struct_fields__})
