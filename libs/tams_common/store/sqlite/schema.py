"""The stored schema: which tables there are, at which version, and how they get to the declared one."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from tams_common.store import migration
from tams_common.store.column import Column
from tams_common.store.declaration import Known, encoded, known
from tams_common.store.layout import AnyLayout
from tams_common.store.migration import Steps
from tams_common.store.port import TableStatus
from tams_common.store.sqlite.database import Database
from tams_common.store.sqlite.session import Session
from tams_common.store.sqlite.sql import TableSql, quoted

_REGISTRY: Final = "_tams_tables"


def check(database: Database, session: Session) -> None:
    """Raises StartRefused when a stored table is newer than its declaration."""
    migration.refuse_newer(database.layouts, registry(session))


def unmigrated(database: Database, session: Session) -> list[str]:
    """The tables that are absent or of an older version."""
    return migration.unmigrated(database.layouts, registry(session))


def migrate(database: Database, session: Session) -> None:
    """Brings every table to its declaration, all of them or none; raises StartRefused for what it cannot do."""
    session.execute("BEGIN IMMEDIATE")
    try:
        session.execute(
            f"CREATE TABLE IF NOT EXISTS {_REGISTRY} "
            "(name TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, declaration TEXT NOT NULL) STRICT"
        )
        stored = registry(session)
        indexes = index_names(session)
        for name, layout in database.layouts.named().items():
            text, old = database.texts[name], stored.get(name)
            there = _existing(text, old.declaration.projections if old else (), indexes=indexes)
            for statement in _statements(text, migration.steps(layout, old, there=there)):
                session.execute(statement)
            values = (name, layout.table.version, encoded(layout))
            session.execute(f"INSERT OR REPLACE INTO {_REGISTRY} VALUES (?, ?, ?)", values)
        session.execute("COMMIT")
    finally:
        session.roll_back()


def status(database: Database, session: Session) -> list[TableStatus]:
    """Every declared table as it is stored; `bytes` counts the cells, not the indexes."""
    stored = registry(session)
    indexes = index_names(session)
    result = []
    for name, layout in database.layouts.named().items():
        old = stored.get(name)
        rows, size = _extent(session, layout) if old else (0, 0)
        names = [projection.name for projection in layout.table.projections]
        there = _existing(database.texts[name], names, indexes=indexes)
        result.append(
            TableStatus(
                name,
                layout.table.version,
                old.version if old else None,
                rows,
                size,
                projections={name: name in there for name in names},
                sorting="in order" if layout.windowed else "by index",
                drift=migration.drift(layout, old) if old else (),
            )
        )
    return result


def registry(session: Session) -> Mapping[str, Known]:
    """What was noted of the stored tables, by name."""
    if not session.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (_REGISTRY,)):
        return {}
    rows = session.execute(f"SELECT name, version, declaration FROM {_REGISTRY}")
    return {name: known(version, text) for name, version, text in rows}


def index_names(session: Session) -> set[str]:
    """The indexes that are there."""
    return {name for (name,) in session.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}


def _existing(text: TableSql[Any], projections: Iterable[str], *, indexes: Collection[str]) -> list[str]:
    """Those of `projections` that have an index."""
    return [name for name in projections if text.projection_index(name) in indexes]


def _statements(text: TableSql[Any], steps: Steps) -> Iterator[str]:
    if steps.create:
        yield from text.create()
    else:
        yield from map(text.add_column, steps.columns)
    yield from map(text.drop_projection, steps.dropped)
    for projection in steps.created:
        yield text.create_projection(projection.name, projection.columns)


def _extent(session: Session, layout: AnyLayout) -> tuple[int, int]:
    sizes = " + ".join(map(_size, layout.columns))
    text = f"SELECT COUNT(*), COALESCE(SUM({sizes}), 0) FROM {quoted(layout.table.name)}"
    [(rows, size)] = session.execute(text)
    return rows, size


def _size(column: Column) -> str:
    if column.kind in {"int", "bool"}:
        return "8"
    return f"COALESCE(LENGTH(CAST({quoted(column.name)} AS BLOB)), 0)"
