"""`tams tables`: what an operator does with the tables of the installed services."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Protocol, TypeAlias, TypeVar

import click

from tams_common.config import Common, read
from tams_common.errors import NotFound
from tams_common.runtime import registry
from tams_common.runtime.aligned import print_aligned
from tams_common.runtime.service import AnyService
from tams_common.store import ProjectionStatus, Store, TableStatus
from tams_common.store.table import AnyTable

T = TypeVar("T")

Names: TypeAlias = frozenset[tuple[str, str]]
"""Projections, by table and name."""

_STORE = click.option("--store", default=None, metavar="URL", help="Where the tables are; otherwise TAMS_STORE_URL.")
_TABLE = click.option("--table", default=None, metavar="NAME", help="Only this table, in every service that has it.")
_PROJECTION = click.option("--projection", default=None, metavar="NAME", help="Only projections of this name.")

_TABLE_TITLES: Final = ("service", "table", "version", "rows", "bytes", "sorted by", "rows lie", "drift", "projections")
_PROJECTION_TITLES: Final = ("service", "table", "projection", "columns", "state", "rows", "bytes")


class _Work(Protocol):
    """What is done to the projections `names` of a service, and what it then tells of all of them."""

    async def __call__(self, opened: Store, *, names: Names) -> list[ProjectionStatus]: ...


@click.group()
def tables() -> None:
    """Create, change and show the tables of the services."""


@tables.command()
@_STORE
def migrate(store: str | None) -> None:
    """Bring every table and projection up to its declaration. Disabled projections stay off."""

    async def bring_up(opened: Store) -> list[TableStatus]:
        await opened.migrate()
        return await opened.status()

    rows = [
        (service.name, table.name, str(table.stored_version))
        for service in _with_tables()
        for table in _on_store(service, store, work=bring_up)
    ]
    print_aligned(("service", "table", "version"), rows)


@tables.command()
@_STORE
def status(store: str | None) -> None:
    """Show every table and what differs from its declaration. Version, rows, bytes, order and projections, too."""

    async def look(opened: Store) -> list[TableStatus]:
        return await opened.status()

    rows = [
        (service.name, *_table_cells(found, declared))
        for service in _with_tables()
        for found, declared in zip(_on_store(service, store, work=look), service.tables, strict=True)
    ]
    print_aligned(_TABLE_TITLES, rows)


@tables.group()
def projections() -> None:
    """Switch second orders of tables, which spare scans. This can be done at any time; each costs writes."""


@projections.command("enable")
@_STORE
@_TABLE
@_PROJECTION
def enable(store: str | None, *, table: str | None, projection: str | None) -> None:
    """Create declared projections that are off."""
    _switch(store, table, projection=projection, enabled=True)


@projections.command("disable")
@_STORE
@_TABLE
@_PROJECTION
def disable(store: str | None, *, table: str | None, projection: str | None) -> None:
    """Drop projections; they stay off until they are enabled."""
    _switch(store, table, projection=projection, enabled=False)


@projections.command("status")
@_STORE
@_TABLE
@_PROJECTION
def projections_status(store: str | None, *, table: str | None, projection: str | None) -> None:
    """Show state, rows and bytes of every projection."""

    async def look(opened: Store, *, names: Names) -> list[ProjectionStatus]:
        return await opened.projections()

    _print_projections(_chosen(table, projection), store, work=look)


def _switch(store: str | None, table: str | None, *, projection: str | None, enabled: bool) -> None:
    async def switch(opened: Store, *, names: Names) -> list[ProjectionStatus]:
        for name in sorted(names):
            await opened.set_projection(*name, enabled=enabled)
        return await opened.projections()

    _print_projections(_chosen(table, projection), store, work=switch)


def _chosen(table: str | None, projection: str | None) -> list[tuple[AnyService, Names]]:
    """The projections of each service that an operator means; raises NotFound when there is none."""
    services = _with_tables()
    known = {each.name for service in services for each in service.tables}
    if table is not None and table not in known:
        raise NotFound(f"there is no table {table!r}; there are: {', '.join(sorted(known))}")
    offered = [
        (
            service,
            {
                (each.name, found.name)
                for each in service.tables
                for found in each.projections
                if table in {None, each.name}
            },
        )
        for service in services
    ]
    chosen = [
        (service, frozenset(name for name in names if projection in {None, name[1]})) for service, names in offered
    ]
    if not any(names for _, names in chosen):
        what = "no projections" if projection is None else f"no projection {projection!r}"
        there = sorted({name for _, names in offered for _, name in names})
        where = "the tables have" if table is None else f"table {table} has"
        raise NotFound(f"{where} {what}" + (f"; there are: {', '.join(there)}" if there and projection else ""))
    return [(service, names) for service, names in chosen if names]


def _print_projections(
    chosen: Sequence[tuple[AnyService, Names]],
    store: str | None,
    *,
    work: _Work,
) -> None:
    rows = [
        (service.name, each.table, each.name, " ".join(each.columns), *_projection_cells(each))
        for service, names in chosen
        for each in _on_store(service, store, work=partial(work, names=names))
        if (each.table, each.name) in names
    ]
    print_aligned(_PROJECTION_TITLES, rows)


def _projection_cells(each: ProjectionStatus) -> tuple[str, str, str]:
    size = "?" if each.bytes is None else str(each.bytes)
    return ("enabled", str(each.rows), size) if each.enabled else ("disabled", "", "")


def _table_cells(table: TableStatus, declared: AnyTable) -> tuple[str, ...]:
    order = " ".join(declared.order)
    if table.stored_version is None:
        return (table.name, "absent", "", "", order, "", "not migrated", "")
    drift = list(table.drift)
    if table.stored_version != table.declared_version:
        drift.insert(0, f"declared as version {table.declared_version}")
    projections = " ".join(name if on else f"{name}(off)" for name, on in table.projections.items())
    return (
        table.name,
        str(table.stored_version),
        str(table.rows),
        str(table.bytes),
        order,
        table.sorting,
        ", ".join(drift) or "none",
        projections,
    )


def _on_store(service: AnyService, url: str | None, *, work: Callable[[Store], Awaitable[T]]) -> T:
    from tams_common.runtime import wiring

    async def use() -> T:
        opened = wiring.make_store(common, service.name, tables=service.tables)
        await opened.open()
        try:
            return await work(opened)
        finally:
            await opened.close()

    common = read(Common, "TAMS_", environ=dict(os.environ) | ({"TAMS_STORE_URL": url} if url else {}))
    return asyncio.run(use())


def _with_tables() -> list[AnyService]:
    return [service for service in registry.load_all() if service.tables]
