"""Which flows refer to an object: to media objects by segments, to init objects through media objects (OBJ-6)."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from tams_common.store import Query, Reader, eq
from tams_segments.tables import INIT_USES, SEGMENTS, MediaObject

_BY_OBJECT: Final = ("object_id", "flow_id", "start_ns")
_LAST: Final = 2**63 - 1


class FlowPage(msgspec.Struct, frozen=True):
    """Flow ids in order; `following` is the last one when there are more."""

    flows: Sequence[str]
    following: str | None


def flows_of(tx: Reader, known: MediaObject, *, after: str | None, limit: int) -> FlowPage:
    """At most `limit` of the flows that refer to `known`, each once, those after `after` in order of their ids."""
    flows = _init_users(tx, known.id, after=after, limit=limit + 1) if known.state == "init" else []
    if known.state == "media":
        flows = _media_users(tx, known.id, after=after, limit=limit + 1)
    return FlowPage(flows[:limit], flows[limit - 1] if len(flows) > limit else None)


def _init_users(tx: Reader, name: str, *, after: str | None, limit: int) -> list[str]:
    position = None if after is None else (name, after)
    query = Query((eq("init_object_id", name),), after=position, limit=limit)
    rows: list[Any] = tx.select(INIT_USES, ("flow_id",), query=query).rows
    return [row[0] for row in rows]


def _media_users(tx: Reader, name: str, *, after: str | None, limit: int) -> list[str]:
    """Leaps from flow to flow: a flow may use an object any number of times."""
    flows: list[str] = []
    while len(flows) < limit:
        position = None if after is None else (name, after, _LAST)
        query = Query((eq("object_id", name),), order=_BY_OBJECT, after=position, limit=1)
        rows: list[Any] = tx.select(SEGMENTS, ("flow_id",), query=query).rows
        if not rows:
            break
        after = rows[0][0]
        flows.append(rows[0][0])
    return flows
