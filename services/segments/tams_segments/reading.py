"""Pages of a flow's segments: rows come back as the bytes that were stored (SEG-1 to SEG-10)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from tams_common.ids import FlowId
from tams_common.store import IsIn, Query, Reader, Store
from tams_common.timerange import EMPTY, ETERNITY, TimeRange
from tams_segments.heads import density, extent
from tams_segments.hiding import is_winding
from tams_segments.repository import floor
from tams_segments.tables import HEADS, OBJECTS, Head, MediaObject
from tams_segments.visible import Look, visible

T = TypeVar("T")


class Position(NamedTuple):
    """Where a page ended: the start (ns) of its last segment, and the store's hint for the next one."""

    start: int
    width: int


_COLUMNS: Final = ("object_id", "body")


class _Timed(msgspec.Struct):
    timerange: str


_timed: Final = msgspec.json.Decoder(_Timed)


class TakesLonger(Exception):
    """A read would pass an unknown number of rows."""


class SegmentQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which segments of a flow: those that share time with `timerange` (SEG-6), in order of time or reversed."""

    flow_id: FlowId
    limit: int
    timerange: TimeRange = ETERNITY
    object_id: str | None = None
    reverse: bool = False
    after: Position | None = None


class SegmentPage(msgspec.Struct, frozen=True):
    """The stored bodies of a page, the objects they use, the time they span, and where the next page begins."""

    bodies: Sequence[bytes] = ()
    object_ids: Sequence[str] = ()
    timerange: TimeRange = EMPTY
    following: Position | None = None


class Described(msgspec.Struct, frozen=True, gc=False):
    """What pages say of an object: as in `MediaObject`, but only the columns that they need."""

    id: str
    storage_id: str | None
    storage_key: str | None
    timerange: str | None
    init_object_id: str | None
    instances: bytes


NOTHING: Final = SegmentPage()


async def bounded(store: Store, fn: Callable[[Reader, bool], T]) -> T:
    """What `fn` reads, with its second argument false as a bounded read; where that `TakesLonger`, true beside others.

    An open deletion may make a look at its flow long: that must not hold up everything else.
    """
    try:
        return await store.read(lambda tx: fn(tx, False), bounded=True)
    except TakesLonger:
        return await store.read(lambda tx: fn(tx, True))


def read_page(tx: Reader, query: SegmentQuery, *, patient: bool = True) -> SegmentPage:
    """A page; an unknown flow, and one that is being deleted, have no segments (SEG-2).

    Unless `patient` it raises `TakesLonger` where the number of rows to read has no bound.
    """
    head = tx.get(HEADS, (query.flow_id,))
    if head is None or head.deleting or head.first_start is None or query.timerange.is_empty:
        return NOTHING
    if not patient and is_winding(head):
        raise TakesLonger
    page = visible(tx, head, columns=_COLUMNS, look=_look(tx, query, head=head))
    rows: list[Any] = page.rows
    if not rows:
        return NOTHING
    first, last = _timerange(rows[0][1]), _timerange(rows[-1][1])
    return SegmentPage(
        bodies=[row[1] for row in rows],
        object_ids=[row[0] for row in rows],
        timerange=first.hull(last),
        following=Position(last.start or 0, page.width) if page.more else None,
    )


def _timerange(body: bytes) -> TimeRange:
    """When a stored segment is: two bodies read cost less than three more columns of every row."""
    return TimeRange.parse(_timed.decode(body).timerange)


def span_of_overlapping(tx: Reader, flow_id: FlowId, *, timerange: TimeRange, patient: bool = True) -> TimeRange:
    """From the first to the last segment that shares time with `timerange`; `()` for none (T-42)."""
    head = tx.get(HEADS, (flow_id,))
    whole = extent(head)
    if head is None or head.deleting or whole is None:
        return EMPTY
    if timerange.contains(whole.timerange()):
        return whole.timerange()
    first = read_page(tx, SegmentQuery(flow_id=flow_id, limit=1, timerange=timerange), patient=patient)
    last = read_page(tx, SegmentQuery(flow_id=flow_id, limit=1, timerange=timerange, reverse=True), patient=patient)
    return first.timerange.hull(last.timerange)


def objects_of(tx: Reader, object_ids: Iterable[str]) -> dict[str, MediaObject]:
    """The named objects and the init objects that they need."""
    found = {known.id: known for known in tx.get_many(OBJECTS, ((name,) for name in object_ids)).values()}
    needed = {known.init_object_id for known in found.values() if known.init_object_id} - found.keys()
    if needed:
        found.update((known.id, known) for known in tx.get_many(OBJECTS, ((name,) for name in needed)).values())
    return found


def described(tx: Reader, object_ids: Iterable[str]) -> dict[str, Described]:
    """The named objects of a page and the init objects that they need."""
    found = _described(tx, object_ids)
    needed = {known.init_object_id for known in found.values() if known.init_object_id} - found.keys()
    if needed:
        found |= _described(tx, needed)
    return found


def _described(tx: Reader, object_ids: Iterable[str]) -> dict[str, Described]:
    asked = Query((IsIn("id", tuple(object_ids)),))
    rows: list[Any] = tx.select(OBJECTS, Described.__struct_fields__, query=asked).rows
    return {row[0]: Described(*row) for row in rows}


def _look(tx: Reader, query: SegmentQuery, *, head: Head) -> Look:
    """Exactly the segments that overlap the timerange: all start within it, but for one that may reach into it."""
    wanted, whole, after = query.timerange, extent(head), query.after
    low, high, start = None, wanted.end, wanted.start
    if high is not None and not wanted.includes_end:
        high -= 1
    is_behind = after is not None and not query.reverse and start is not None and after.start >= start
    if start is not None and whole is not None and start >= whole.start and not is_behind:
        reaching = floor(tx, head, at=start, object_id=query.object_id)
        reaches = reaching is not None and reaching.timerange().overlaps(wanted)
        low = reaching.start if reaching is not None and reaches else start + 1
    return Look(
        low=low,
        high=high,
        object_id=query.object_id,
        after=None if after is None else after.start,
        limit=query.limit,
        reverse=query.reverse,
        width=after.width if after else density(head, query.limit),
    )
