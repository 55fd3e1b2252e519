"""One statement's access to its transaction: it looks at the view, takes locks, and adds operations."""

from collections.abc import Iterable, Sequence

from vast_emulator.engine.catalog import Catalog, apply
from vast_emulator.engine.errors import EngineError
from vast_emulator.engine.locks import Thing
from vast_emulator.engine.operations import Operation
from vast_emulator.engine.port import TableName
from vast_emulator.engine.state import State
from vast_emulator.engine.transactions import Transaction


class Session:
    """What statements are written with."""

    def __init__(self, state: State, transaction: Transaction) -> None:
        self._state = state
        self._transaction = transaction

    @property
    def view(self) -> Catalog:
        """What the transaction sees, its own changes included."""
        return self._transaction.view

    def take(self, *things: Thing) -> None:
        """Locks things for this transaction alone; 409 if another one has or had them."""
        self._take(things, alone=True)

    def share(self, *things: Thing) -> None:
        """Locks things together with others that share them; 409 if another one has or had them alone."""
        self._take(things, alone=False)

    def take_rows(self, table: int, row_ids: Iterable[int]) -> None:
        """Locks rows; 409 if another transaction has or had one of them."""
        with self._state.lock:
            try:
                self._state.locks.take_rows(self._transaction.held, table, row_ids=row_ids)
            except EngineError:
                self._state.conflicts += 1
                raise

    def do(self, operation: Operation) -> None:
        """Changes the view and notes the operation for the commit."""
        self._transaction.view = apply(self.view, operation, changes=self._state.changes)
        self._transaction.operations.append(operation)

    def _take(self, things: Sequence[Thing], *, alone: bool) -> None:
        with self._state.lock:
            try:
                self._state.locks.take(self._transaction.held, things, alone=alone)
            except EngineError:
                self._state.conflicts += 1
                raise


def place_of(name: TableName) -> tuple[str, str, str]:
    """A table's name as catalogs and operations have it."""
    return (name.bucket, name.schema, name.name)


def schema_lock(bucket: str, path: str) -> Thing:
    """Shared by those that put things into a schema, alone for those that make, move or drop it."""
    return ("schema", bucket, path)


def place_lock(name: TableName) -> Thing:
    """A table's name, taken alone."""
    return ("place", *place_of(name))


def definition_lock(table: int) -> Thing:
    """A table's columns, sort key and projections, taken alone."""
    return ("definition", table)


def content_lock(table: int) -> Thing:
    """A table's rows as a whole: shared by those that write rows, alone for what rows cannot be merged with."""
    return ("content", table)
