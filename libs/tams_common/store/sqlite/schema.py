"""The stored schema: which tables there are, at which version, and how they get to the declared one."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import msgspec

from tams_common.errors import StartRefused
from tams_common.store.column import Column, Kind
from tams_common.store.layout import AnyLayout
from tams_common.store.port import TableStatus
from tams_common.store.sqlite.database import Database
from tams_common.store.sqlite.session import Session
from tams_common.store.sqlite.sql import TableSql, quoted

_REGISTRY: Final = "_tams_tables"


class _Column(msgspec.Struct, frozen=True):
    kind: Kind
    nullable: bool


class _Declaration(msgspec.Struct, frozen=True):
    """What of a table's declaration shapes the stored table."""

    columns: dict[str, _Column]
    key: tuple[str, ...]
    order: tuple[str, ...]
    windowed: bool
    projections: dict[str, tuple[str, ...]]


class _Stored(msgspec.Struct, frozen=True):
    version: int
    declaration: _Declaration


def check(database: Database, session: Session) -> None:
    """Raises StartRefused when a stored table is newer than its declaration."""
    stored = stored_tables(session)
    for name, layout in database.layouts.named().items():
        if name in stored:
            _refuse_newer(layout, stored[name])


def unmigrated(database: Database, session: Session) -> list[str]:
    """The tables that are absent or of an older version."""
    stored = stored_tables(session)
    return [
        name
        for name, layout in database.layouts.named().items()
        if name not in stored or stored[name].version != layout.table.version
    ]


def migrate(database: Database, session: Session) -> None:
    """Brings every table to its declaration, all of them or none; raises StartRefused for what it cannot do."""
    session.execute("BEGIN IMMEDIATE")
    try:
        session.execute(
            f"CREATE TABLE IF NOT EXISTS {_REGISTRY} "
            "(name TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, declaration TEXT NOT NULL) STRICT"
        )
        stored = stored_tables(session)
        indexes = index_names(session)
        for name, layout in database.layouts.named().items():
            for text in _steps(database.texts[name], layout, stored=stored.get(name), indexes=indexes):
                session.execute(text)
            declaration = msgspec.json.encode(_declared(layout)).decode()
            values = (name, layout.table.version, declaration)
            session.execute(f"INSERT OR REPLACE INTO {_REGISTRY} VALUES (?, ?, ?)", values)
        session.execute("COMMIT")
    finally:
        session.roll_back()


def status(database: Database, session: Session) -> list[TableStatus]:
    """Every declared table as it is stored; `bytes` counts the cells, not the indexes."""
    stored = stored_tables(session)
    indexes = index_names(session)
    result = []
    for name, layout in database.layouts.named().items():
        version = stored[name].version if name in stored else None
        rows, size = _extent(session, layout) if name in stored else (0, 0)
        text = database.texts[name]
        projections = {p.name: text.projection_index(p.name) in indexes for p in layout.table.projections}
        result.append(
            TableStatus(
                name,
                layout.table.version,
                version,
                rows,
                size,
                projections,
                sorting="in order" if layout.windowed else "by index",
                drift=_drift(layout, stored[name].declaration) if name in stored else (),
            )
        )
    return result


def index_names(session: Session) -> set[str]:
    """The indexes that are there."""
    return {name for (name,) in session.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}


def _extent(session: Session, layout: AnyLayout) -> tuple[int, int]:
    sizes = " + ".join(map(_size, layout.columns))
    text = f"SELECT COUNT(*), COALESCE(SUM({sizes}), 0) FROM {quoted(layout.table.name)}"
    [(rows, size)] = session.execute(text)
    return rows, size


def _size(column: Column) -> str:
    if column.kind in {"int", "bool"}:
        return "8"
    return f"COALESCE(LENGTH(CAST({quoted(column.name)} AS BLOB)), 0)"


def stored_tables(session: Session) -> Mapping[str, _Stored]:
    """What the registry knows, by table name."""
    if not session.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (_REGISTRY,)):
        return {}
    rows = session.execute(f"SELECT name, version, declaration FROM {_REGISTRY}")
    return {
        name: _Stored(version, msgspec.json.decode(declaration, type=_Declaration))
        for name, version, declaration in rows
    }


def _declared(layout: AnyLayout) -> _Declaration:
    return _Declaration(
        columns={column.name: _Column(column.kind, column.nullable) for column in layout.columns},
        key=layout.table.key,
        order=layout.total_order(()),
        windowed=layout.windowed,
        projections={projection.name: projection.columns for projection in layout.table.projections},
    )


def _refuse_newer(layout: AnyLayout, stored: _Stored) -> None:
    table = layout.table
    if stored.version > table.version:
        raise StartRefused(
            "the data directory was written by a newer version: "
            f"table {table.name} is version {stored.version}, this software knows {table.version}"
        )


def _drift(layout: AnyLayout, stored: _Declaration) -> tuple[str, ...]:
    """How the stored table differs from the declared one."""
    declared = _declared(layout)
    phrases = [
        *_differences("column", stored.columns, declared=declared.columns),
        *_differences("projection", stored.projections, declared=declared.projections),
    ]
    if (stored.key, stored.order, stored.windowed) != (declared.key, declared.order, declared.windowed):
        phrases.append("other key, order or paging")
    return tuple(phrases)


def _differences(what: str, stored: Mapping[str, object], *, declared: Mapping[str, object]) -> Iterator[str]:
    for name in declared:
        if name not in stored:
            yield f"{what} {name} missing"
        elif stored[name] != declared[name]:
            yield f"{what} {name} changed"
    for name in stored:
        if name not in declared:
            yield f"{what} {name} not declared"


def _steps(
    text: TableSql[Any], layout: AnyLayout, *, stored: _Stored | None, indexes: Collection[str]
) -> Iterator[str]:
    """The statements that lead from the stored table to the declared one."""
    declared = _declared(layout)
    before: Mapping[str, tuple[str, ...]] = {}
    if stored is None:
        yield from text.create()
    else:
        _refuse_newer(layout, stored)
        _refuse_change(layout, stored, declared=declared)
        before = stored.declaration.projections
        for column in layout.columns:
            if column.name not in stored.declaration.columns:
                yield text.add_column(column)
    for name, columns in before.items():
        if declared.projections.get(name) != columns:
            yield text.drop_projection(name)
    for name, columns in declared.projections.items():
        # What is registered and not there has been disabled.
        if name not in before or (before[name] != columns and text.projection_index(name) in indexes):
            yield text.create_projection(name, columns)


def _refuse_change(layout: AnyLayout, stored: _Stored, *, declared: _Declaration) -> None:
    """Raises StartRefused for a change that is not additive, or that came without a new version."""
    old = stored.declaration
    name = layout.table.name
    if stored.version == layout.table.version and old != declared:
        raise StartRefused(f"table {name} is stored as version {stored.version} with another declaration")
    for gone in old.columns.keys() - declared.columns.keys():
        raise StartRefused(f"table {name}: column {gone} is stored but not declared any more")
    for kept in old.columns:
        if old.columns[kept] != declared.columns[kept]:
            raise StartRefused(f"table {name}: column {kept} is stored with another type")
    if (old.key, old.order, old.windowed) != (declared.key, declared.order, declared.windowed):
        raise StartRefused(f"table {name} is stored with another key, order or paging")
    for column in layout.columns:
        if column.name not in old.columns and column.default is msgspec.UNSET:
            raise StartRefused(f"table {name}: the new column {column.name} has no default for stored rows")
