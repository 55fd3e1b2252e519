"""A source: made and removed by its flows, its collections inferred from theirs (s/source, SRC-1, SRC-7)."""

from msgspec import UNSET, Struct, UnsetType

from tams_common.ids import SourceId
from tams_common.model.values import ContentFormat, Tags


class SourceItem(Struct, frozen=True):
    """A member of a source's collection."""

    id: SourceId
    role: str | UnsetType = UNSET


class Source(Struct, frozen=True, kw_only=True):
    """A source as GET shows it (SRC-5). Date-times as `clock.date_time` writes them."""

    id: SourceId
    format: ContentFormat
    label: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    created_by: str | UnsetType = UNSET
    updated_by: str | UnsetType = UNSET
    created: str
    updated: str
    tags: Tags = {}
    source_collection: tuple[SourceItem, ...] | UnsetType = UNSET
    collected_by: tuple[SourceId, ...] = ()
