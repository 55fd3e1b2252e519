"""Flows and sources as lists look for them: the narrow rows beside those with the bodies (ADR 0013)."""

from collections.abc import Sequence
from typing import Final

from msgspec import UNSET, UnsetType

from tams_catalog.documents import FlowState, SourceState, format_of
from tams_catalog.tables import FlowEntry, SourceEntry
from tams_common.errors import InvalidInput
from tams_common.model.essence import VideoEssence
from tams_common.model.technical import has_init_segments
from tams_common.store import AnyOf, Contains, IsNull, eq, ge, gt, le, lt
from tams_common.store.column import CELL_BYTES
from tams_common.store.where import Condition
from tams_common.tags import Tags, tag_tokens
from tams_common.timerange import MIN_NS, TimeRange

NO_LABEL: Final = "1"
"""Sorts after every label (SORT-8)."""
_EARLIEST: Final = ""
_LATEST: Final = "~"


def flow_entry(state: FlowState, before: FlowEntry | None) -> FlowEntry:
    """The entry of a flow; what events of its segments have told stands in the one `before`."""
    common, technical = state.flow.common, state.flow.technical
    essence = technical.essence_parameters
    video = essence if isinstance(essence, VideoEssence) else None
    return FlowEntry(
        id=common.id,
        source_id=common.source_id,
        profile_id=state.flow.profile_id or None,
        format=format_of(technical),
        codec=technical.codec or None,
        label=label_key(common.label),
        status=common.status or None,
        frame_width=video.frame_width if video else None,
        frame_height=video.frame_height if video else None,
        init_segments=has_init_segments(technical),
        created=state.created,
        metadata_updated=state.metadata_updated,
        collected_by=id_tokens(state.collected_by),
        tags=_tokens(common.tags),
        incarnation=state.incarnation,
        extent_start=before.extent_start if before else None,
        extent_end=before.extent_end if before else None,
        segments_updated=before.segments_updated if before else None,
    )


def source_entry(state: SourceState) -> SourceEntry:
    """The entry of a source."""
    source = state.source
    return SourceEntry(
        id=source.id,
        format=source.format,
        label=label_key(source.label),
        created=state.created,
        updated=state.updated,
        collected_by=id_tokens(source.collected_by),
        tags=_tokens(source.tags),
    )


def label_key(label: str | UnsetType) -> str:
    """A label as entries are filtered and sorted by it, in the order of code points (SORT-6)."""
    return NO_LABEL if label is UNSET else f"0{label}"


def id_tokens(ids: Sequence[str]) -> str:
    """Ids in one column, each as a token: `|a|b|`, empty for none."""
    return f"|{'|'.join(ids)}|" if ids else ""


def collected_by(ids: Sequence[str]) -> Condition:
    """Collected by one of `ids`, or without any by none (SRC-9, SRC-10)."""
    parts = tuple(Contains("collected_by", f"|{each}|") for each in dict.fromkeys(ids))
    if not parts:
        return eq("collected_by", "")
    return parts[0] if len(parts) == 1 else AnyOf(parts)


def extent_keys(extent: TimeRange) -> tuple[str | None, str | None]:
    """Where `extent` begins and ends, so that text sorts as the bounds do, inclusivity included; null for `()`."""
    if extent.is_empty:
        return None, None
    start = _EARLIEST if extent.start is None else _bound(extent.start, after=not extent.includes_start)
    end = _LATEST if extent.end is None else _bound(extent.end, after=extent.includes_end)
    return start, end


def overlapping(within: TimeRange) -> tuple[Condition, ...]:
    """Which extents share an instant with `within`; those without any for `()`, all for `_` (FLW-3 to FLW-5)."""
    if within.is_eternity:
        return ()
    if within.is_empty:
        return (IsNull("extent_start"),)
    conditions: list[Condition] = []
    if within.end is not None:
        before = _bound(within.end, after=False)
        conditions.append(le("extent_start", before) if within.includes_end else lt("extent_start", before))
    if within.start is not None:
        after = _bound(within.start, after=True)
        conditions.append(ge("extent_end", after) if within.includes_start else gt("extent_end", after))
    return tuple(conditions)


def _tokens(tags: Tags) -> str:
    tokens = tag_tokens(tags)
    if len(tokens.encode()) > CELL_BYTES:
        detail = f"the names and values of tags, each value with its name, take more than {CELL_BYTES} bytes at $.tags"
        raise InvalidInput(detail, field="$.tags")
    return tokens


def _bound(ns: int, *, after: bool) -> str:
    """The place on the time line just before the instant `ns`, or just `after` it."""
    return f"{ns - MIN_NS:020d}{int(after)}"
