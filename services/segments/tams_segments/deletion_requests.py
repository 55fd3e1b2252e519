"""Deletion requests: what outlasted its DELETE, how far it is, and what became of it (DEL)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from tams_common.clock import SECOND, Clock, date_time
from tams_common.ids import FlowId, IdSource, Incarnation
from tams_common.model.deletion import DeletionError, DeletionRequest
from tams_common.store import AnyOf, IsIn, IsNull, Query, Reader, Tx, eq, gt, le
from tams_common.timerange import EMPTY
from tams_segments.tables import DELETION_REQUESTS, DeletionRow

OPEN: Final = ("created", "started")
_EXPIRED: Final = 500
_ORDERS: Final = {"created": ("created", True), "expiry": ("recency", False)}
_error: Final = msgspec.json.Decoder(DeletionError)


class Tools(NamedTuple):
    """What every deletion needs: `batch` segments go in one transaction, which is to stay short so that others get
    their turn; `lifetime` is how long (s) a request is shown after its end."""

    clock: Clock
    new_id: IdSource
    batch: int
    lifetime: float


class Position(NamedTuple):
    """Where a page of requests begins: after the one with that value to sort by and that id."""

    value: int | None
    id: str


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """Which page of the requests is wanted: sorted by `created` or `expiry`, the latest first unless `reverse`."""

    sort_by: str
    reverse: bool
    after: Position | None
    limit: int


class RequestPage(msgspec.Struct, frozen=True):
    """A page; `following` is where the next one begins, None on the last one."""

    rows: Sequence[DeletionRow]
    following: Position | None


def page_of(tx: Reader, listed: Listed, *, now: int) -> RequestPage:
    """Requests that have not expired (SORT-5, SORT-6); those that have no expiry yet come last by it (SORT-8)."""
    column, backwards = _ORDERS[listed.sort_by]
    living = AnyOf((IsNull("expiry"), gt("expiry", now)))
    reverse = backwards is not listed.reverse
    page = tx.scan(DELETION_REQUESTS, Query((living,), (column,), listed.after, listed.limit, reverse))
    if not page.more:
        return RequestPage(page.rows, None)
    last = page.rows[-1]
    return RequestPage(page.rows, Position(last.created if column == "created" else last.recency, last.id))


def find(tx: Reader, request_id: str, *, now: int) -> DeletionRow | None:
    """The request, unless it has expired (DEL-8)."""
    row = tx.get(DELETION_REQUESTS, (request_id,))
    return None if row is None or (row.expiry is not None and row.expiry <= now) else row


class ToDo(msgspec.Struct, frozen=True):
    """The open requests, the oldest first, and keys of some that have expired."""

    open: Sequence[DeletionRow]
    expired: Sequence[tuple[str]]


def to_do(tx: Reader, *, now: int) -> ToDo:
    """What waits for a worker."""
    waiting = tx.scan(DELETION_REQUESTS, Query((IsIn("status", OPEN),))).rows
    expired = tx.select(DELETION_REQUESTS, ("id",), query=Query((le("expiry", now),), limit=_EXPIRED)).rows
    return ToDo(waiting, [(str(key[0]),) for key in expired])


def open_of_flow(tx: Reader, flow_id: FlowId, *, incarnation: Incarnation) -> DeletionRow | None:
    """The open request to delete this creation of the flow."""
    where = (eq("flow_id", flow_id), IsIn("status", OPEN), eq("incarnation", incarnation), eq("delete_flow", True))
    rows = tx.scan(DELETION_REQUESTS, Query(where, limit=1)).rows
    return rows[0] if rows else None


def progress(tx: Tx, row: DeletionRow, *, remaining: str, now: int) -> DeletionRow:
    """Writes down how far a request is (DEL-4); `Conflict` when somebody else has done so since `row` was read."""
    return _write(tx, row, changed=replace(row, status="started", remaining=remaining, updated=now))


def finish(tx: Tx, row: DeletionRow, *, tools: Tools) -> None:
    """Ends a request that is done; `Conflict` as in `progress`."""
    _write(tx, row, changed=_ended(replace(row, status="done", remaining=str(EMPTY)), tools))


def fail(tx: Tx, row: DeletionRow, *, summary: str, tools: Tools) -> None:
    """Ends a request that cannot be done, and says why (DEL-3, DEL-10)."""
    error = DeletionError("urn:tams:problem:deletion", summary, date_time(tools.clock()))
    _write(tx, row, changed=_ended(replace(row, status="error", error=msgspec.json.encode(error)), tools))


def shown(row: DeletionRow) -> DeletionRequest:
    """The request as the API shows it (DEL-2)."""
    return DeletionRequest(
        id=row.id,
        flow_id=row.flow_id,
        timerange_to_delete=row.timerange,
        timerange_remaining=row.remaining,
        delete_flow=row.delete_flow,
        status=row.status,
        created=date_time(row.created),
        updated=date_time(row.updated),
        created_by=row.created_by or UNSET,
        expiry=UNSET if row.expiry is None else date_time(row.expiry),
        error=_error.decode(row.error) if row.error else UNSET,
    )


def _ended(row: DeletionRow, tools: Tools) -> DeletionRow:
    now = tools.clock()
    expiry = now + int(tools.lifetime * SECOND)
    return replace(row, updated=now, expiry=expiry, recency=-expiry)


def _write(tx: Tx, known: DeletionRow, *, changed: DeletionRow) -> DeletionRow:
    written = replace(changed, version=known.version + 1)
    tx.update(DELETION_REQUESTS, [written], expect=[known.version])
    return written
