"""The catalog's tables. Times are in ns since the Unix epoch; a `body` is the JSON that GET shows, rendered once."""

from typing import Final

from msgspec import Struct

from tams_common.ids import FlowId, Incarnation, SourceId
from tams_common.inbox import INBOX, POSITIONS
from tams_common.outbox import LEASES, OUTBOX
from tams_common.store import Guard, Projection, Small, Table
from tams_common.store.table import AnyTable


class FlowRow(Struct, frozen=True, kw_only=True):
    """A flow. `body` is its JSON but for `segments_updated` and `timerange`, which segment writes move.

    `version` rises with every change of the row and `incarnation` names this creation of the flow; `collected_by` are
    flow ids with a comma between; the frame's size is kept of video flows only (T-67); `deleting` hides the flow from
    everyone but the sweep; `event_at` is the moment of the flow's latest event.
    """

    id: FlowId
    source_id: SourceId
    format: str
    codec: str | None
    container: str | None
    label: str | None
    frame_width: int | None
    frame_height: int | None
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


class SourceRow(Struct, frozen=True, kw_only=True):
    """A source, with columns as a flow has them. Every flow created, moved or deleted writes its source's row."""

    id: SourceId
    format: str
    label: str | None
    collected_by: str
    created: int
    updated: int
    version: int
    event_at: int
    body: bytes


class EdgeRow(Struct, frozen=True, kw_only=True):
    """One place in a flow's collection, with the sources of both ends (COL-1, COL-7)."""

    collector_id: FlowId
    position: int
    member_id: FlowId
    role: str | None
    collector_source_id: SourceId
    member_source_id: SourceId


class ExtentRow(Struct, frozen=True, kw_only=True):
    """From where to where a flow's segments reach, as their events have told; null bounds when there are none.

    A row of another incarnation than the flow's counts for nothing.
    """

    flow_id: FlowId
    incarnation: Incarnation
    timerange: str
    start: int | None
    end: int | None
    segments_updated: int


FLOWS: Final = Table("flows", FlowRow, ("id",), paging=Small(), projections=(Projection("by_source", ("source_id",)),))
SOURCES: Final = Table("sources", SourceRow, ("id",), paging=Small())
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
EXTENTS: Final = Table("extents", ExtentRow, ("flow_id",), paging=Small())

TABLES: Final[tuple[AnyTable, ...]] = (FLOWS, SOURCES, COLLECTIONS, EXTENTS, OUTBOX, LEASES, POSITIONS, INBOX)
"""Everything catalog keeps."""
