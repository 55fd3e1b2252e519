"""Which flows refer to an object: to media objects by segments, to init objects through media objects (OBJ-6)."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from tams_common.store import Query, Reader, eq
from tams_common.tags import TagQuery
from tams_segments.flow_index import having
from tams_segments.hiding import hidden_by
from tams_segments.reading import TakesLonger
from tams_segments.tables import BY_OBJECT, HEADS, INIT_USES, SEGMENTS, Head, MediaObject

_ANY: Final = TagQuery()
_LAST: Final = 2**63 - 1
_STEP: Final = 64
"""Rows that are read at once, and flows that are judged at once."""


class Wanted(msgspec.Struct, frozen=True):
    """Which page of an object's flows: at most `limit`, those after `after` in order of their ids, with these tags."""

    limit: int
    after: str | None = None
    tags: TagQuery = TagQuery()


class FlowPage(msgspec.Struct, frozen=True):
    """Flow ids in order; `following` is the last one when there are more."""

    flows: Sequence[str]
    following: str | None


def flows_of(tx: Reader, known: MediaObject, *, wanted: Wanted, patient: bool = True) -> FlowPage:
    """A page of the flows that refer to `known`, each once; what open deletions hide refers to nothing.

    Unless `patient` it raises `TakesLonger` where a few looks do not tell.
    """
    users = (_media_users if known.state == "media" else _init_users)(tx, known.id, after=wanted.after)
    flows: list[str] = []
    while len(flows) <= wanted.limit and (some := list(islice(users, _STEP))):
        flows += _chosen(tx, known, flows=some, tags=wanted.tags, patient=patient)
        if len(some) == _STEP and len(flows) <= wanted.limit and not patient:
            raise TakesLonger
    return FlowPage(flows[: wanted.limit], flows[wanted.limit - 1] if len(flows) > wanted.limit else None)


def _chosen(tx: Reader, known: MediaObject, *, flows: Sequence[str], tags: TagQuery, patient: bool) -> list[str]:
    if tags != _ANY:
        found = having(tx, flows, tags=tags)
        flows = [flow_id for flow_id in flows if flow_id in found]
    heads = tx.get_many(HEADS, ((flow_id,) for flow_id in flows))
    return [
        flow_id
        for flow_id in flows
        if (head := heads.get((flow_id,))) and _is_seen(tx, known, head=head, patient=patient)
    ]


def _is_seen(tx: Reader, known: MediaObject, *, head: Head, patient: bool) -> bool:
    """Whether a reference by the head's flow is left that no open deletion hides."""
    if head.deleting or not head.hidden or known.state == "init":
        return not head.deleting
    hidden, after = hidden_by(head), None
    while True:
        where = (eq("object_id", known.id), eq("flow_id", head.flow_id))
        query = Query(where, order=BY_OBJECT, after=after, limit=_STEP)
        rows: list[Any] = (page := tx.select(SEGMENTS, ("start_ns", "head_version"), query=query)).rows
        if any(not any(one.hides(row[0], version=row[1], object_id=known.id) for one in hidden) for row in rows):
            return True
        if not page.more:
            return False
        if not patient:
            raise TakesLonger
        after = (known.id, head.flow_id, rows[-1][0])


def _init_users(tx: Reader, name: str, *, after: str | None) -> Iterator[str]:
    while True:
        position = None if after is None else (name, after)
        page = tx.select(
            INIT_USES, ("flow_id",), query=Query((eq("init_object_id", name),), after=position, limit=_STEP)
        )
        for (flow_id,) in page.rows:
            after = str(flow_id)
            yield after
        if not page.more:
            return


def _media_users(tx: Reader, name: str, *, after: str | None) -> Iterator[str]:
    """Leaps over what is left of the last flow of each look: a flow may use an object any number of times."""
    while True:
        position = None if after is None else (name, after, _LAST)
        query = Query((eq("object_id", name),), order=BY_OBJECT, after=position, limit=_STEP)
        page = tx.select(SEGMENTS, ("flow_id",), query=query)
        for (flow_id,) in page.rows:
            if flow_id != after:
                after = str(flow_id)
                yield after
        if not page.more:
            return
