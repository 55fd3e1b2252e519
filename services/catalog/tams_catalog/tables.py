"""The catalog's tables. Times are in ns since the Unix epoch; a `body` is the JSON that GET shows, rendered once.

What lists filter and order by lies in tables of its own, without bodies (ADR 0013).
"""

from typing import Final

from msgspec import Struct

from tams_common.ids import FlowId, Incarnation, ProfileId, SourceId
from tams_common.inbox import INBOX, POSITIONS
from tams_common.leases import LEASES
from tams_common.outbox import OUTBOX
from tams_common.store import Guard, Projection, Small, Table
from tams_common.store.table import AnyTable


class FlowRow(Struct, frozen=True, kw_only=True):
    """A flow. `body` is its JSON but for `segments_updated` and `timerange`, which segment writes move.

    `version` rises with every change of the row and `incarnation` names this creation of the flow; `collected_by` are
    flow ids with a comma between; `deleting` hides the flow from everyone but the sweep; `event_at` is the moment of
    the flow's latest event.
    """

    id: FlowId
    source_id: SourceId
    format: str
    container: str | None
    init_segments: bool
    read_only: bool
    deleting: bool
    collected_by: str
    created: int
    metadata_updated: int
    version: int
    incarnation: Incarnation
    event_at: int
    body: bytes


class FlowEntry(Struct, frozen=True, kw_only=True):
    """A flow as lists look for it; one that is being deleted has none.

    `label` and the bounds of the extent are written so that they sort (`entries`); `tags` are `tag_tokens`,
    `collected_by` such tokens of flow ids. The frame's size is kept of video flows only (T-67). How far the segments of
    this `incarnation` reach and when they changed moves with their events, and with it no version of the flow; null
    bounds mean none.
    """

    id: FlowId
    source_id: SourceId
    profile_id: ProfileId | None
    format: str
    codec: str | None
    label: str
    status: str | None
    frame_width: int | None
    frame_height: int | None
    init_segments: bool
    created: int
    metadata_updated: int
    collected_by: str
    tags: str
    incarnation: Incarnation
    extent_start: str | None = None
    extent_end: str | None = None
    segments_updated: int | None = None


class SourceRow(Struct, frozen=True, kw_only=True):
    """A source, `collected_by` as a flow has it. Every flow created, moved or deleted writes its source's row."""

    id: SourceId
    collected_by: str
    created: int
    updated: int
    version: int
    event_at: int
    body: bytes


class SourceEntry(Struct, frozen=True, kw_only=True):
    """A source as lists look for it, with columns as a flow's entry has them."""

    id: SourceId
    format: str
    label: str
    created: int
    updated: int
    collected_by: str
    tags: str


class EdgeRow(Struct, frozen=True, kw_only=True):
    """One place in a flow's collection, with the sources of both ends (COL-1, COL-7)."""

    collector_id: FlowId
    position: int
    member_id: FlowId
    role: str | None
    collector_source_id: SourceId
    member_source_id: SourceId


class DeletionRow(Struct, frozen=True):
    """A flow that is hidden, and whose segments may still be there."""

    flow_id: FlowId
    incarnation: Incarnation


class ProfileRow(Struct, frozen=True, kw_only=True):
    """A profile; it never changes and never goes (PRF-3), so that what reads it need not write it."""

    id: ProfileId
    format: str
    codec: str
    label: str | None
    created: int
    body: bytes


class ServiceRow(Struct, frozen=True, kw_only=True):
    """What `POST /service` has set, in the one row `SERVICE_KEY`; null is what the configuration says (SVC-12)."""

    id: str
    name: str | None = None
    description: str | None = None


def _newest_of(*columns: str) -> tuple[Projection, ...]:
    """For a filter by each of `columns`, and beyond it the order of lists."""
    return tuple(Projection(f"by_{column}", (column, "created")) for column in columns)


def _order_by(*columns: str) -> tuple[Projection, ...]:
    """For lists that are sorted by each of `columns`."""
    return tuple(Projection(f"order_by_{column}", (column,)) for column in columns)


FLOWS: Final = Table("flows", FlowRow, ("id",), paging=Small(), projections=(Projection("by_source", ("source_id",)),))
FLOW_INDEX: Final = Table(
    "flow_index",
    FlowEntry,
    ("id",),
    sort=("created",),
    paging=Small(tokens=("tags", "collected_by")),
    guarded_by=Guard("flows", ("id",)),
    projections=(
        *_newest_of("source_id", "profile_id", "format", "codec", "label", "status", "frame_width", "frame_height"),
        *_newest_of("init_segments", "extent_start"),
        *_order_by("metadata_updated", "label"),
    ),
)
SOURCES: Final = Table("sources", SourceRow, ("id",), paging=Small())
SOURCE_INDEX: Final = Table(
    "source_index",
    SourceEntry,
    ("id",),
    sort=("created",),
    paging=Small(tokens=("tags", "collected_by")),
    guarded_by=Guard("sources", ("id",)),
    projections=(*_newest_of("format", "label"), *_order_by("updated", "label")),
)
COLLECTIONS: Final = Table(
    "collections",
    EdgeRow,
    ("collector_id", "position"),
    paging=Small(),
    guarded_by=Guard("flows", ("collector_id",)),
    projections=(
        Projection("by_collector_source", ("collector_source_id",)),
        Projection("by_member_source", ("member_source_id",)),
    ),
)
DELETIONS: Final = Table(
    "deletions", DeletionRow, ("flow_id",), paging=Small(), guarded_by=Guard("flows", ("flow_id",))
)
PROFILES: Final = Table(
    "profiles",
    ProfileRow,
    ("id",),
    sort=("created",),
    paging=Small(),
    projections=_newest_of("format", "codec", "label"),
)
SERVICE: Final = Table("service", ServiceRow, ("id",), paging=Small())
SERVICE_KEY: Final = ("service",)

TABLES: Final[tuple[AnyTable, ...]] = (
    FLOWS,
    FLOW_INDEX,
    SOURCES,
    SOURCE_INDEX,
    COLLECTIONS,
    DELETIONS,
    PROFILES,
    SERVICE,
    OUTBOX,
    LEASES,
    POSITIONS,
    INBOX,
)
"""Everything catalog keeps."""
