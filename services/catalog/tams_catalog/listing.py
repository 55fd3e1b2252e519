"""Pages of lists: found by narrow rows, rendered by joining the bodies of what is on the page (ADR 0013)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from tams_catalog.extents import with_updates
from tams_catalog.filters import Order
from tams_catalog.tables import FLOW_INDEX, FLOWS, PROFILES, SOURCE_INDEX, SOURCES
from tams_common.store import IsIn, Query, Reader
from tams_common.store.table import AnyTable
from tams_common.store.where import Condition


class Position(NamedTuple):
    """Where a page begins: after the resource with that value to sort by and that id (SORT-11)."""

    value: int | str
    id: str


class Ask(msgspec.Struct, frozen=True):
    """Which page of a list is wanted."""

    where: tuple[Condition, ...]
    order: Order
    after: Position | None
    limit: int

    @property
    def bounded(self) -> bool:
        """Whether an index bounds what it costs: nothing is left out on the way."""
        return not self.where


class Listing(msgspec.Struct, frozen=True):
    """A page of rendered resources; `following` is where the next one begins, None on the last page."""

    bodies: list[bytes]
    following: Position | None

    def json(self) -> bytes:
        """The page as a JSON array."""
        return b"".join((b"[", b",".join(self.bodies), b"]"))


def list_flows(reader: Reader, ask: Ask) -> Listing:
    """Flows, each with the moment at which its segments changed."""

    def render(ids: list[str]) -> list[bytes]:
        bodies = _cells(reader, FLOWS, column="body", ids=ids)
        updates = _cells(reader, FLOW_INDEX, column="segments_updated", ids=ids)
        return [with_updates(bodies[flow_id], updates[flow_id]) for flow_id in ids]

    return _page(reader, FLOW_INDEX, ask=ask, render=render)


def list_sources(reader: Reader, ask: Ask) -> Listing:
    """Sources."""

    def render(ids: list[str]) -> list[bytes]:
        bodies = _cells(reader, SOURCES, column="body", ids=ids)
        return [bodies[source_id] for source_id in ids]

    return _page(reader, SOURCE_INDEX, ask=ask, render=render)


def list_profiles(reader: Reader, ask: Ask) -> Listing:
    """Profiles."""

    def render(ids: list[str]) -> list[bytes]:
        bodies = _cells(reader, PROFILES, column="body", ids=ids)
        return [bodies[profile_id] for profile_id in ids]

    return _page(reader, PROFILES, ask=ask, render=render)


def _page(reader: Reader, table: AnyTable, *, ask: Ask, render: Callable[[list[str]], list[bytes]]) -> Listing:
    column = ask.order.column
    query = Query(ask.where, (column,), ask.after, ask.limit, ask.order.backwards)
    page = reader.select(table, (column, "id"), query=query)
    ids = [str(id_) for _, id_ in page.rows]
    return Listing(render(ids) if ids else [], Position(_value(page.rows[-1][0]), ids[-1]) if page.more else None)


def _cells(reader: Reader, table: AnyTable, *, column: str, ids: list[str]) -> dict[str, Any]:
    """One column of rows by their ids."""
    page = reader.select(table, ("id", column), query=Query((IsIn("id", tuple(ids)),)))
    return {str(id_): cell for id_, cell in page.rows}


def _value(cell: object) -> int | str:
    return cell if isinstance(cell, int | str) else str(cell)
