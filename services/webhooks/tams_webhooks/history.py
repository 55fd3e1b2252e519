"""Reading the event log where it is no longer in memory: first what an event is about, then only the bodies needed."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from tams_common.store import Query, Reader, eq, ge, gt, le, lt
from tams_common.store.where import Condition
from tams_webhooks.tables import EVENT_LOG, THE_LOG, LogRow

SCAN: Final = 1000
"""Events that are looked through at once."""
_NARROW: Final = LogRow.__struct_fields__[:-1]
"""All columns but `value`, which is the last one."""


def following(reader: Reader, number: int, *, limit: int, end: int | None = None) -> list[LogRow]:
    """Up to `limit` events after `number`, and before `end`, without their values."""
    before: tuple[Condition, ...] = () if end is None else (lt("number", end),)
    return _narrow(reader, Query((eq("log", THE_LOG), gt("number", number), *before), limit=limit, width=limit))


def of_key(reader: Reader, key: str, *, first: int, last: int, limit: int) -> list[LogRow]:
    """Up to `limit` events of a flow or source from number `first` to `last`, without their values."""
    where = (eq("key", key), ge("number", first), le("number", last))
    return _narrow(reader, Query(where, order=("key", "number"), limit=limit))


def with_values(reader: Reader, rows: Iterable[LogRow]) -> list[LogRow]:
    """Those of `rows` that the log still has, with their values."""
    asked = list(rows)
    found = reader.get_many(EVENT_LOG, [(THE_LOG, row.number) for row in asked if not row.value])
    complete = (row if row.value else found.get((THE_LOG, row.number)) for row in asked)
    return [row for row in complete if row is not None]


def _narrow(reader: Reader, query: Query) -> list[LogRow]:
    rows: Sequence[Any] = reader.select(EVENT_LOG, _NARROW, query=query).rows
    return [LogRow(*(*row, b"")) for row in rows]
