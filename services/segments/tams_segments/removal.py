"""Taking segments away: rows, references, bytes and the head, all in one transaction (SGD-6, TMO-1, TMO-2)."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from tams_common.ids import FlowId
from tams_common.store import Tx
from tams_segments.heads import advanced, extent
from tams_segments.instances import Controlled, controlled
from tams_segments.repository import edges
from tams_segments.tables import GARBAGE, HEADS, INIT_USES, OBJECTS, SEGMENTS, Garbage, Head, InitUse, MediaObject
from tams_segments.timeline import Span


class Doomed(msgspec.Struct, frozen=True):
    """A segment that is to go."""

    span: Span
    object_id: str


def remove(tx: Tx, head: Head, *, doomed: Sequence[Doomed], now: int, event_at: int) -> Head:
    """Removes segments of the head's flow and all that only they held on to; returns the head as it is written."""
    flow_id = FlowId(head.flow_id)
    tx.delete(SEGMENTS, [(flow_id, segment.span.start) for segment in doomed])
    _release(tx, flow_id, lost=Counter(segment.object_id for segment in doomed), now=now)
    whole = extent(head)
    if whole:
        first = any(segment.span.start == whole.start for segment in doomed)
        whole = edges(tx, head, first=first, last=any(segment.span.end == whole.end for segment in doomed))
    changed = advanced(head, count=head.count - len(doomed), covers=whole, event_at=event_at)
    tx.update(HEADS, [changed])
    return changed


def discard(tx: Tx, objects: Iterable[MediaObject], *, due: int) -> None:
    """Removes objects, and has the collector remove the bytes of all their controlled instances at `due` (ns)."""
    gone = list(objects)
    tx.delete(OBJECTS, [(known.id,) for known in gone])
    tx.insert(GARBAGE, [garbage_of(known, one, due=due) for known in gone for one in controlled(known)])


def garbage_of(known: MediaObject, instance: Controlled, *, due: int) -> Garbage:
    """The bytes of an instance that the object has no more, to be removed at `due` (ns)."""
    created = 0 if known.allocated_for is None else known.created
    return Garbage(due, instance.storage_key, instance.storage_id, created=created)


def _release(tx: Tx, flow_id: FlowId, *, lost: Counter[str], now: int) -> None:
    """Takes references off objects: `lost` counts the flow's segments by the media object that they no longer use."""
    media = list(tx.get_many(OBJECTS, ((name,) for name in lost)).values())
    kept, gone = _less(media, lost)
    discard(tx, gone, due=now)
    lost_init = Counter(known.init_object_id for known in gone if known.init_object_id is not None)
    if lost_init:
        init = list(tx.get_many(OBJECTS, ((name,) for name in lost_init)).values())
        kept_init, gone_init = _less(init, lost_init)
        discard(tx, gone_init, due=now)
        kept += kept_init
    tx.update(OBJECTS, kept)
    uses: Counter[str] = Counter()
    for known in media:
        if known.init_object_id is not None:
            uses[known.init_object_id] += lost[known.id]
    _release_uses(tx, flow_id, lost=uses)


def _release_uses(tx: Tx, flow_id: FlowId, *, lost: Counter[str]) -> None:
    if not lost:
        return
    stored = tx.get_many(INIT_USES, ((name, flow_id) for name in lost)).values()
    left = [InitUse(use.init_object_id, flow_id, use.segment_count - lost[use.init_object_id]) for use in stored]
    tx.update(INIT_USES, [use for use in left if use.segment_count > 0])
    tx.delete(INIT_USES, [(use.init_object_id, flow_id) for use in left if use.segment_count <= 0])


def _less(objects: Iterable[MediaObject], lost: Counter[str]) -> tuple[list[MediaObject], list[MediaObject]]:
    """The objects with fewer references, and those that have none left."""
    kept, gone = list[MediaObject](), list[MediaObject]()
    for known in objects:
        left = known.reference_count - lost[known.id]
        if left > 0:
            kept.append(msgspec.structs.replace(known, reference_count=left))
        else:
            gone.append(known)
    return kept, gone
