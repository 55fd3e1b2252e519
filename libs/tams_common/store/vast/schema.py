"""The stored schema: which tables there are, at which version, and how they get to the declared one."""

import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from tams_common.errors import StartRefused
from tams_common.store.port import TableStatus
from tams_common.store.table import Projection
from tams_common.store.vast.catalog import Catalog
from tams_common.store.vast.database import Database
from tams_common.store.vast.declaration import Declaration, declared, drift, refuse_change, refuse_newer, registered
from tams_common.store.vast.failures import Collided, Missing
from tams_common.store.vast.ledger import CLAIMS, REGISTRY, SLOTS, Claim, Registered
from tams_common.store.vast.link import SCAN, Ask
from tams_common.store.vast.session import Session, end
from tams_common.store.vast.stored import ROW_ID, Stored

T = TypeVar("T")

_ATTEMPTS: Final = 10
_PAUSE_SECONDS: Final = 0.5
_ROWS_AT_ONCE: Final = 65_536


def check(database: Database, session: Session) -> None:
    """Raises StartRefused when a stored table is newer than its declaration."""

    def work(catalog: Catalog) -> None:
        stored = _registry_if_any(database, session)
        for name, layout in database.layouts.named().items():
            if name in stored:
                refuse_newer(layout, stored[name])

    transact(database, session, work=work)


def unmigrated(database: Database, session: Session) -> list[str]:
    """The tables that are absent or of an older version."""

    def work(catalog: Catalog) -> list[str]:
        stored = _registry_if_any(database, session)
        return [
            name
            for name, layout in database.layouts.named().items()
            if name not in stored or stored[name].version != layout.table.version
        ]

    return transact(database, session, work=work)


def migrate(database: Database, session: Session) -> None:
    """Brings every table to its declaration, all of them or none; raises StartRefused for what it cannot do."""

    def work(catalog: Catalog) -> None:
        catalog.create_schema()
        there = catalog.tables()
        for own in database.own.values():
            if own.name not in there:
                catalog.create_table(own)
                if own.name == CLAIMS.name:
                    _insert(session, own, rows=[Claim(slot) for slot in range(SLOTS)])
        stored = _registry(database, session)
        for name, table in database.declared.items():
            old = None
            if name in stored:
                refuse_newer(table.layout, stored[name])
                old = refuse_change(table.layout, stored[name])
            elif name in there:
                raise StartRefused(f"table {name} of {database.schema} is there, but no store of ours has made it")
            _bring(catalog, session, table=table, old=old)
        _register(database, session, stored=stored)

    transact(database, session, work=work, commit=True)


def status(database: Database, session: Session) -> list[TableStatus]:
    """Every declared table as it is stored; rows and bytes are the server's own figures."""

    def work(catalog: Catalog) -> list[TableStatus]:
        stored = _registry_if_any(database, session)
        return [_status(catalog, table, stored=stored.get(name)) for name, table in database.declared.items()]

    return transact(database, session, work=work)


def _status(catalog: Catalog, table: Stored, *, stored: Registered | None) -> TableStatus:
    declaration = table.layout.table
    if stored is None:
        missing = {projection.name: False for projection in declaration.projections}
        return TableStatus(table.name, declaration.version, None, 0, 0, missing)
    extent, there = catalog.extent(table), catalog.projections(table)
    return TableStatus(
        table.name,
        declaration.version,
        stored.version,
        extent.rows,
        extent.bytes,
        {projection.name: projection.name in there for projection in declaration.projections},
        sorting=extent.sorting,
        drift=drift(table, stored, columns=catalog.columns(table)),
    )


def transact(database: Database, session: Session, *, work: Callable[[Catalog], T], commit: bool = False) -> T:
    """Runs `work` in one transaction; anew when another process does the same."""
    attempt = 0
    while True:
        transaction = session.transaction
        try:
            result = work(Catalog(database, session))
            if commit:
                session.link.commit(transaction)
                session.release()
        except Collided:
            attempt += 1
            if attempt == _ATTEMPTS:
                raise
        else:
            return result
        finally:
            end(session)
        time.sleep(random.uniform(0, _PAUSE_SECONDS))  # noqa: S311 -- only spreads the repeats


def _registry(database: Database, session: Session) -> dict[str, Registered]:
    stored = database.own[REGISTRY.name]
    rows = session.ask(Ask(stored, stored.layout.names)).rows
    return {row[0]: Registered(*row) for row in rows}


def _registry_if_any(database: Database, session: Session) -> dict[str, Registered]:
    """The registry; nothing before the first migration."""
    try:
        return _registry(database, session)
    except Missing:
        return {}


def _register(database: Database, session: Session, *, stored: dict[str, Registered]) -> None:
    """Writes the rows of the registry that change."""
    rows = [registered(table.layout) for table in database.declared.values()]
    changed = [row for row in rows if row != stored.get(row.name)]
    table = database.own[REGISTRY.name]
    gone = [(row.name,) for row in changed if row.name in stored]
    if gone:
        row_ids = list(session.row_ids(REGISTRY, gone).values())
        session.link.delete(session.transaction, table, batch=table.changes(row_ids, columns={}))
    if changed:
        _insert(session, table, rows=changed)


def _insert(session: Session, table: Stored, *, rows: Sequence[msgspec.Struct]) -> None:
    session.link.insert(session.transaction, table, batch=table.batch(rows))


def _bring(catalog: Catalog, session: Session, *, table: Stored, old: Declaration | None) -> None:
    """Makes one table as it is declared."""
    before: dict[str, tuple[str, ...]] = {}
    if old is None:
        catalog.create_table(table)
    else:
        before = old.projections
        added = [name for name in table.layout.names if name not in old.columns]
        if added:
            catalog.add_columns(table, added)
            _fill(session, table, columns=added)
    after = declared(table.layout).projections
    there = catalog.projections(table) if before else {}
    for name, columns in before.items():
        if after.get(name) != columns and name in there:
            catalog.drop_projection(table, name)
    for name, columns in after.items():
        # What is registered and not there has been disabled.
        if name not in before or (before[name] != columns and name in there):
            catalog.create_projection(table, Projection(name, columns))


def _fill(session: Session, table: Stored, *, columns: Sequence[str]) -> None:
    """Writes the defaults of new columns into the rows that are there: conditions have to find them."""
    defaults = {name: table.layout.column(name).default for name in columns}
    defaults = {name: value for name, value in defaults.items() if value is not None}
    if not defaults:
        return
    row_ids = [row_id for (row_id,) in session.ask(Ask(table, (ROW_ID,), config=SCAN)).rows]
    for start in range(0, len(row_ids), _ROWS_AT_ONCE):
        some = row_ids[start : start + _ROWS_AT_ONCE]
        cells: dict[str, Sequence[Any]] = {name: [value] * len(some) for name, value in defaults.items()}
        session.link.update(session.transaction, table, batch=table.changes(some, columns=cells))
