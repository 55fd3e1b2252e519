"""The stored schema: which tables there are, at which version, and how they get to the declared one."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from tams_common.errors import StartRefused
from tams_common.store import migration
from tams_common.store.column import Column
from tams_common.store.declaration import Known, declared, encoded, known
from tams_common.store.group_commit import Collided
from tams_common.store.port import TableStatus
from tams_common.store.vast.catalog import Catalog
from tams_common.store.vast.database import Database
from tams_common.store.vast.failures import Missing
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
    migration.refuse_newer(database.layouts, transact(database, session, work=lambda _: registry(database, session)))


def unmigrated(database: Database, session: Session) -> list[str]:
    """The tables that are absent or of an older version."""
    stored = transact(database, session, work=lambda _: registry(database, session))
    return migration.unmigrated(database.layouts, stored)


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
        stored = registry(database, session)
        for name, table in database.declared.items():
            if name in there and name not in stored:
                raise StartRefused(f"table {name} of {database.schema} is there, but no store of ours has made it")
            _bring(catalog, session, table=table, old=stored.get(name))
        _register(database, session, stored=stored)

    transact(database, session, work=work, commit=True)


def status(database: Database, session: Session) -> list[TableStatus]:
    """Every declared table as it is stored; rows and bytes are the server's own figures."""

    def work(catalog: Catalog) -> list[TableStatus]:
        stored = registry(database, session)
        return [_status(catalog, table, stored=stored.get(name)) for name, table in database.declared.items()]

    return transact(database, session, work=work)


def registry(database: Database, session: Session) -> dict[str, Known]:
    """What was noted of the stored tables, by name; nothing before the first migration."""
    stored = database.own[REGISTRY.name]
    try:
        rows = session.ask(Ask(stored, stored.layout.names)).rows
    except Missing:
        return {}
    return {name: known(version, text) for name, version, text in rows}


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


def _status(catalog: Catalog, table: Stored, *, stored: Known | None) -> TableStatus:
    declaration = table.layout.table
    if stored is None:
        missing = {projection.name: False for projection in declaration.projections}
        return TableStatus(table.name, declaration.version, None, 0, 0, missing)
    extent, there = catalog.extent(table), catalog.projections(table)
    wanted = {field.name: field.type for field in table.schema}
    columns = migration.differences("column", catalog.columns(table), declared=wanted)
    return TableStatus(
        table.name,
        declaration.version,
        stored.version,
        extent.rows,
        extent.bytes,
        {projection.name: projection.name in there for projection in declaration.projections},
        sorting=extent.sorting,
        drift=migration.drift(table.layout, stored, columns=columns),
    )


def _register(database: Database, session: Session, *, stored: Mapping[str, Known]) -> None:
    """Writes the rows of the registry that change."""
    layouts = database.layouts.named()
    changed = [
        Registered(name, layout.table.version, encoded(layout))
        for name, layout in layouts.items()
        if stored.get(name) != Known(layout.table.version, declared(layout))
    ]
    table = database.own[REGISTRY.name]
    gone = [(row.name,) for row in changed if row.name in stored]
    if gone:
        row_ids = list(session.row_ids(REGISTRY, gone).values())
        session.link.delete(session.transaction, table, batch=table.changes(row_ids, columns={}))
    if changed:
        _insert(session, table, rows=changed)


def _insert(session: Session, table: Stored, *, rows: Sequence[msgspec.Struct]) -> None:
    session.link.insert(session.transaction, table, batch=table.batch(rows))


def _bring(catalog: Catalog, session: Session, *, table: Stored, old: Known | None) -> None:
    """Makes one table as it is declared."""
    there = catalog.projections(table) if old is not None and old.declaration.projections else ()
    steps = migration.steps(table.layout, old, there=there)
    if steps.create:
        catalog.create_table(table)
    elif steps.columns:
        catalog.add_columns(table, [column.name for column in steps.columns])
        _fill(session, table, columns=steps.columns)
    for name in steps.dropped:
        catalog.drop_projection(table, name)
    for projection in steps.created:
        catalog.create_projection(table, projection)


def _fill(session: Session, table: Stored, *, columns: Sequence[Column]) -> None:
    """Writes the defaults of new columns into the rows that are there: conditions have to find them."""
    defaults = {column.name: column.default for column in columns if column.default is not None}
    if not defaults:
        return
    row_ids = [row_id for (row_id,) in session.ask(Ask(table, (ROW_ID,), config=SCAN)).rows]
    for start in range(0, len(row_ids), _ROWS_AT_ONCE):
        some = row_ids[start : start + _ROWS_AT_ONCE]
        cells: dict[str, Sequence[Any]] = {name: [value] * len(some) for name, value in defaults.items()}
        session.link.update(session.transaction, table, batch=table.changes(some, columns=cells))
