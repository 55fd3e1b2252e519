"""What the segments service keeps: heads, segments, media objects, allocations, and what waits for its removal."""

from typing import Final, Literal

import msgspec

from tams_common.inbox import INBOX, POSITIONS
from tams_common.leases import LEASES
from tams_common.model.deletion import DeletionStatus
from tams_common.outbox import OUTBOX
from tams_common.store import Guard, Projection, Small, Table, Windowed
from tams_common.store.table import AnyTable

ObjectState = Literal["allocated", "media", "init"]


class Head(msgspec.Struct, frozen=True):
    """One row per flow that has or had segments: the lock that every writer of its timeline advances (ADR 0003).

    `version` rises with every change. `count` is of all segments that are stored, `first_start`, `last_end` (ns) and
    `last_inclusive` are the extent of those to be seen, null without them: `hidden` (`hiding`) is what open deletions
    of ranges have yet to remove, empty for none. `deleting` fences the flow for ever: only another incarnation can take
    the row over, once `count` is 0. `event_at` is the moment (ns) of the last event of the flow's segments. No segment
    that is stored lasts longer than `longest` (ns); null where that is not known.
    """

    flow_id: str
    incarnation: str
    version: int
    count: int = 0
    first_start: int | None = None
    last_end: int | None = None
    last_inclusive: bool = False
    deleting: bool = False
    event_at: int = 0
    hidden: bytes = b""
    longest: int | None = None


class Segment(msgspec.Struct, frozen=True, gc=False):
    """A segment of a flow: its start is always included (SGP-7), times are in ns.

    `head_version` is the head's version that added it, by which a deletion spares what came after it. `body` is the
    segment as GET shows it, without URLs and object timerange; `init_object`, where there is one, ends it.
    """

    flow_id: str
    start_ns: int
    end_ns: int
    end_inclusive: bool
    object_id: str
    head_version: int
    body: bytes


class MediaObject(msgspec.Struct, frozen=True, gc=False):
    """An object: allocated for a flow, then fixed by its first registration, as media or as init object (SGP-18).

    `reference_count` counts segments (media) or media objects (init). The first controlled instance lies in the backend
    `storage_id` under `storage_key`, which is drawn anew for each allocation and copy, so that an id whose bytes still
    wait for their removal can be used again; both are null for an object that is held elsewhere. `instances` is the
    JSON of all other instances (`instances`), empty for none. `created` is in ns since the epoch.
    """

    id: str
    state: ObjectState
    created: int
    allocated_for: str | None = None
    storage_id: str | None = None
    storage_key: str | None = None
    content_type: str | None = None
    timerange: str | None = None
    key_frame_count: int | None = None
    init_object_id: str | None = None
    first_flow: str | None = None
    reference_count: int = 0
    instances: bytes = b""


class InitUse(msgspec.Struct, frozen=True):
    """How many segments of a flow need an init object, through their media objects (OBJ-6)."""

    init_object_id: str
    flow_id: str
    segment_count: int


class Allocation(msgspec.Struct, frozen=True):
    """An object that is collected at `due` (ns) if it is still not registered then (TMO-3)."""

    due: int
    object_id: str


class Garbage(msgspec.Struct, frozen=True):
    """Bytes that nothing refers to any more, to be removed at `due` (ns) or later; `tries` counts failures.

    `created` is the moment (ns) from which an upload URL for them has worked, 0 for none: as long as that may bring
    them back they are removed once more.
    """

    due: int
    storage_key: str
    storage_id: str
    tries: int = 0
    created: int = 0


class CopyJob(msgspec.Struct, frozen=True):
    """A controlled instance that is to be made: a copy of the object in the backend `storage_id`.

    It is worked on from `due` (ns) on; `tries` counts failures. `storage_key` is what the instance has until it is
    shown; the bytes are written under the keys of uploads: `progress` is the JSON of the one that has been begun, empty
    for none yet (`copy_jobs`).
    """

    due: int
    storage_key: str
    storage_id: str
    object_id: str
    tries: int = 0
    progress: bytes = b""


class FlowRow(msgspec.Struct, frozen=True):
    """What events have told of a flow, for filters on flows. `tags` are `tag_tokens`; `collected_by` has commas between
    the ids of the flows that collect it."""

    flow_id: str
    incarnation: str
    source_id: str
    tags: str
    collected_by: str


class DeletionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A deletion that outlasted its DELETE (DEL-1). Times are in ns since the epoch, timeranges text.

    `facts` is what catalog knew of the flow, as JSON: events of the removal tell it; empty for a whole flow, which has
    no such events. `expiry` and `recency`, the same below zero so that lists come latest first, are null until the end.
    `error` is the JSON of why it could not be done.
    """

    id: str
    flow_id: str
    incarnation: str
    timerange: str
    remaining: str
    delete_flow: bool
    status: DeletionStatus
    created: int
    updated: int
    created_by: str | None = None
    facts: bytes = b""
    expiry: int | None = None
    recency: int | None = None
    error: bytes = b""
    version: int = 1


class Tombstone(msgspec.Struct, frozen=True):
    """The fenced head of a deleted flow, removed at `due` (ns), when no writer that saw the flow can be on its way."""

    due: int
    flow_id: str
    incarnation: str


class Identity(msgspec.Struct, frozen=True):
    """What tells these tables from those of other stores that may use the same storage: one row, `name` is `store`."""

    name: str
    id: str


BY_OBJECT: Final = ("object_id", "flow_id", "start_ns")
"""The order in which segments of one object are read: in that of the flow all others of it would be passed."""
HEADS: Final = Table("heads", Head, key=("flow_id",), version=2)
SEGMENTS: Final = Table(
    "segments",
    Segment,
    key=("flow_id", "start_ns"),
    paging=Windowed(),
    guarded_by=Guard("heads", ("flow_id",)),
    projections=(Projection("by_object", BY_OBJECT),),
)
# Never scanned, so paging only says how rows lie: in order of allocation, where pages find them side by side.
OBJECTS: Final = Table("objects", MediaObject, key=("id",), paging=Small())
INIT_USES: Final = Table("init_uses", InitUse, key=("init_object_id", "flow_id"), paging=Windowed())
ALLOCATIONS: Final = Table("allocations", Allocation, key=("due", "object_id"), paging=Windowed())
GARBAGE: Final = Table("garbage", Garbage, key=("due", "storage_key"), paging=Windowed(), version=2)
COPIES: Final = Table("copies", CopyJob, key=("due", "storage_key"), paging=Windowed())
FLOWS: Final = Table("flows", FlowRow, key=("flow_id",))
DELETION_REQUESTS: Final = Table(
    "deletion_requests",
    DeletionRow,
    key=("id",),
    sort=("created",),
    paging=Small(),
    projections=(Projection("by_status", ("status",)), Projection("by_flow", ("flow_id",))),
)
TOMBSTONES: Final = Table("tombstones", Tombstone, key=("due", "flow_id"), paging=Windowed())
IDENTITY: Final = Table("identity", Identity, key=("name",))

TABLES: Final[tuple[AnyTable, ...]] = (
    HEADS,
    SEGMENTS,
    OBJECTS,
    INIT_USES,
    ALLOCATIONS,
    GARBAGE,
    COPIES,
    FLOWS,
    DELETION_REQUESTS,
    TOMBSTONES,
    IDENTITY,
    OUTBOX,
    LEASES,
    POSITIONS,
    INBOX,
)
