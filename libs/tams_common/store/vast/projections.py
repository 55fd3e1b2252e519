"""Projections of one store: which are there, and switching them while the store is in use."""

from tams_common.store.migration import check_projection
from tams_common.store.port import ProjectionStatus
from tams_common.store.vast.catalog import Catalog
from tams_common.store.vast.database import Database
from tams_common.store.vast.failures import Missing
from tams_common.store.vast.schema import registry, transact
from tams_common.store.vast.session import Session
from tams_common.store.vast.stored import Stored


def status(database: Database, session: Session) -> list[ProjectionStatus]:
    """Every declared projection as it is stored; rows and bytes are the server's own figures."""

    def work(catalog: Catalog) -> list[ProjectionStatus]:
        result = []
        for table in database.declared.values():
            there = _there(catalog, table)
            for each in table.layout.table.projections:
                rows, size = there.get(each.name, (0, 0))
                result.append(ProjectionStatus(table.name, each.name, each.columns, each.name in there, rows, size))
        return result

    return transact(database, session, work=work)


def switch(database: Database, session: Session, *, table: str, name: str, enabled: bool) -> None:
    """Creates or drops one projection; nothing when it is so already."""
    projection = database.layouts.projection(table, name)
    stored = database.declared[table]

    def work(catalog: Catalog) -> None:
        check_projection(stored.layout, registry(database, session).get(table), name=name)
        there = name in catalog.projections(stored)
        if enabled and not there:
            catalog.create_projection(stored, projection)
        elif there and not enabled:
            catalog.drop_projection(stored, name)

    transact(database, session, work=work, commit=True)


def _there(catalog: Catalog, table: Stored) -> dict[str, tuple[int, int]]:
    if not table.layout.table.projections:
        return {}
    try:
        return catalog.projections(table)
    except Missing:
        return {}
