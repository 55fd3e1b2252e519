"""What open deletions of ranges hide: from the 202 on nobody sees what they have yet to remove (ADR 0007).

Such a deletion stands in the head row, so whoever looks at the flow's timeline knows without a look at more.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from tams_common.timerange import MAX_NS, MIN_NS
from tams_segments.tables import Head

MOST_OPEN: Final = 16
"""Deletions of ranges that one flow can have at a time."""


class Hidden(msgspec.Struct, frozen=True, array_like=True):
    """Segments that request `id` has yet to remove: of those that start from `first` to `last` (ns), the ones that
    version `up_to` of the head or an earlier one added, and that use `object_id` where that is given.

    What is added later between the two is seen, and lies within `fresh`, from its first start to its last.
    """

    id: str
    first: int
    last: int
    up_to: int
    object_id: str | None = None
    fresh: tuple[int, int] | None = None

    def hides(self, start: int, *, version: int, object_id: str) -> bool:
        """Whether it hides the segment that starts then, was added by that version, and uses that object."""
        within = self.first <= start <= self.last and version <= self.up_to
        return within and (self.object_id is None or self.object_id == object_id)

    def beyond(self, start: int) -> "Hidden":
        """What is left of it when everything that starts up to `start` (ns) has been looked at."""
        fresh = None if self.fresh is None or self.fresh[1] <= start else self.fresh
        return msgspec.structs.replace(self, first=start + 1, fresh=fresh)


class Stretch(NamedTuple):
    """Segments that start from `low` to `high` (ns) are seen, if a version after `above` added them (None: all)."""

    low: int
    high: int
    above: int | None


_decode: Final = msgspec.msgpack.Decoder(tuple[Hidden, ...]).decode
_encode: Final = msgspec.msgpack.Encoder().encode


def hidden_by(head: Head) -> tuple[Hidden, ...]:
    """What the open deletions of the head's flow hide."""
    return _decode(head.hidden) if head.hidden else ()


def hiding(head: Head, hidden: Iterable[Hidden]) -> Head:
    """The head with these open deletions in place of those that it has."""
    found = tuple(hidden)
    return msgspec.structs.replace(head, hidden=_encode(found) if found else b"")


def with_fresh(head: Head, starts: Sequence[int]) -> Head:
    """The head once segments with these starts (ns) have been added."""
    if not head.hidden or not starts:
        return head
    return hiding(head, [_freshened(hidden, starts) for hidden in hidden_by(head)])


def is_winding(head: Head) -> bool:
    """Whether looks at the flow may have to pass many hidden segments one by one."""
    return any(hidden.fresh or hidden.object_id is not None for hidden in hidden_by(head))


def stretches(hidden: Sequence[Hidden], *, low: int | None, high: int | None) -> list[Stretch]:
    """Where segments may be seen among those that start from `low` to `high` (ns, None: no bound), in order of time.

    Hidden segments of a single object are not left out: there is no telling where they are.
    """
    low, high = MIN_NS if low is None else low, MAX_NS if high is None else high
    whole = [known for known in hidden if known.object_id is None]
    found: list[Stretch] = []
    for start, following in pairwise(_cuts(whole, low=low, high=high)):
        over = [known for known in whole if known.first <= start <= known.last]
        latest = max(over, key=lambda known: known.up_to, default=None)
        above = None if latest is None else latest.up_to
        if latest is not None and (latest.fresh is None or not latest.fresh[0] <= start <= latest.fresh[1]):
            continue
        if found and found[-1].high + 1 == start and found[-1].above == above:
            found[-1] = Stretch(found[-1].low, following - 1, above)
        else:
            found.append(Stretch(start, following - 1, above))
    return found


def _cuts(hidden: Sequence[Hidden], *, low: int, high: int) -> list[int]:
    """Where what is seen can change, from `low` to behind `high`."""
    cuts = {low, high + 1}
    for known in hidden:
        for first, last in (known.first, known.last), known.fresh or (low, high):
            cuts.update(cut for cut in (first, last + 1) if low < cut <= high)
    return sorted(cuts) if low <= high else []


def _freshened(hidden: Hidden, starts: Sequence[int]) -> Hidden:
    within = [start for start in starts if hidden.first <= start <= hidden.last]
    if hidden.object_id is not None or not within:
        return hidden
    known = hidden.fresh or (within[0], within[0])
    return msgspec.structs.replace(hidden, fresh=(min(known[0], *within), max(known[1], *within)))
