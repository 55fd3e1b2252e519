"""The segments of a flow that are to be seen: all that are stored, but for those that open deletions hide."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from tams_common.store import Page, Query, Reader, eq, ge, gt, le
from tams_common.store.where import Condition, Scalar
from tams_common.timerange import MAX_NS, MIN_NS
from tams_segments.hiding import Stretch, hidden_by, stretches
from tams_segments.tables import BY_OBJECT, SEGMENTS, Head

Cells: TypeAlias = tuple[Scalar, ...]

_IDENTITY: Final = ("start_ns", "head_version", "object_id")
_PASSING: Final = 256
"""Rows that are read at once where many may be hidden."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Which segments of a flow to look at: those that start from `low` to `high` (ns; None: no bound), meet `where` and
    use `object_id`, where that is given, behind the one that starts at `after`. `width` is the store's hint (`Query`).
    """

    limit: int
    low: int | None = None
    high: int | None = None
    where: tuple[Condition, ...] = ()
    object_id: str | None = None
    after: int | None = None
    reverse: bool = False
    width: int = 0


def visible(tx: Reader, head: Head, *, columns: Sequence[str], look: Look) -> Page[Cells]:
    """What `look` asks for of the head's flow; `more` tells whether there is more of it to be seen."""
    if (look.low is not None and look.low > MAX_NS) or (look.high is not None and look.high < MIN_NS):
        return Page([])
    if not head.hidden:
        return tx.select(SEGMENTS, columns, query=query_of(head.flow_id, look))
    rows: list[Cells] = []
    for cells in _seen(tx, head, columns=columns, look=look):
        if len(rows) == look.limit:
            return Page(rows, more=True)
        rows.append(cells)
    return Page(rows)


def _seen(tx: Reader, head: Head, *, columns: Sequence[str], look: Look) -> Iterator[Cells]:
    """All of it, read no further than it is taken."""
    hidden = hidden_by(head)
    single = [known for known in hidden if known.object_id is not None]
    low, high = look.low, look.high
    if look.after is not None and look.reverse:
        high = look.after - 1 if high is None else min(high, look.after - 1)
    elif look.after is not None:
        low = look.after + 1 if low is None else max(low, look.after + 1)
    wanted = (*_IDENTITY, *columns)
    found = stretches(hidden, low=low, high=high)
    for stretch in reversed(found) if look.reverse else found:
        for row in _rows(tx, head, columns=wanted, look=_within(look, stretch, at_least=bool(single))):
            if not any(known.hides(row[0], version=row[1], object_id=row[2]) for known in single):
                yield row[3:]


def _within(look: Look, stretch: Stretch, *, at_least: bool) -> Look:
    where = look.where if stretch.above is None else (*look.where, gt("head_version", stretch.above))
    return msgspec.structs.replace(
        look,
        low=stretch.low,
        high=stretch.high,
        where=where,
        after=None,
        limit=max(look.limit + 1, _PASSING if at_least else 0),
    )


def _rows(tx: Reader, head: Head, *, columns: Sequence[str], look: Look) -> Iterator[tuple[Any, ...]]:
    """Everything of `look`, page by page; the first column is the start."""
    while True:
        page: Page[tuple[Any, ...]] = tx.select(SEGMENTS, columns, query=query_of(head.flow_id, look))
        yield from page.rows
        if not page.more:
            return
        look = msgspec.structs.replace(look, after=page.rows[-1][0], width=page.width)


def query_of(flow_id: str, look: Look) -> Query:
    """What `look` asks for of all that is stored of the flow, to be seen or not."""
    where: tuple[Condition, ...] = (eq("flow_id", flow_id), *look.where)
    if look.low is not None:
        where = (*where, ge("start_ns", look.low))
    if look.high is not None:
        where = (*where, le("start_ns", look.high))
    order: tuple[str, ...] = ()
    after: tuple[Scalar, ...] | None = None if look.after is None else (flow_id, look.after)
    if look.object_id is not None:
        where, order = (eq("object_id", look.object_id), *where), BY_OBJECT
        after = None if after is None else (look.object_id, *after)
    return Query(where, order, after, look.limit, look.reverse, look.width)
