"""Projections on SQLite: indexes that can be dropped and made anew beside a running store."""

from tams_common.store.migration import check_projection
from tams_common.store.port import ProjectionStatus
from tams_common.store.sqlite.database import Database
from tams_common.store.sqlite.schema import index_names, registry
from tams_common.store.sqlite.session import Session
from tams_common.store.sqlite.sql import quoted


def status(database: Database, session: Session) -> list[ProjectionStatus]:
    """Every declared projection as it is stored."""
    indexes = index_names(session)
    result = []
    for table, layout in database.layouts.named().items():
        for projection in layout.table.projections:
            index = database.texts[table].projection_index(projection.name)
            rows, size = _extent(session, table, index=index) if index in indexes else (0, 0)
            result.append(
                ProjectionStatus(table, projection.name, projection.columns, index in indexes, rows=rows, bytes=size)
            )
    return result


def switch(database: Database, session: Session, *, table: str, name: str, enabled: bool) -> None:
    """Creates or drops the index of a declared projection, unless it is so already.

    A projection that the registry knows and that has no index is a disabled one; `schema.migrate` leaves it alone.
    """
    projection = database.layouts.projection(table, name)
    text = database.texts[table]
    session.execute("BEGIN IMMEDIATE")
    try:
        check_projection(database.layouts.named()[table], registry(session).get(table), name=name)
        if (text.projection_index(name) in index_names(session)) is not enabled:
            session.execute(text.create_projection(name, projection.columns) if enabled else text.drop_projection(name))
        session.execute("COMMIT")
    finally:
        session.roll_back()


def _extent(session: Session, table: str, *, index: str) -> tuple[int, int | None]:
    [(rows,)] = session.execute(f"SELECT COUNT(*) FROM {quoted(table)} INDEXED BY {quoted(index)}")
    if not session.execute("SELECT 1 FROM pragma_compile_options WHERE compile_options = 'ENABLE_DBSTAT_VTAB'"):
        return rows, None
    [(size,)] = session.execute("SELECT SUM(pgsize) FROM dbstat WHERE name = ?", (index,))
    return rows, size
