"""One VAST DB transaction as a backend of the store: what it reads, and where the rows that it has read lie."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from vastdb.transaction import Transaction

from tams_common.errors import TamsError
from tams_common.store.layout import Layouts
from tams_common.store.port import Page, Query
from tams_common.store.table import AnyTable, Key, R, Table
from tams_common.store.vast import keys as by_key
from tams_common.store.vast.link import Answer, Ask, Link
from tams_common.store.vast.paging import Cells, Paging, picker
from tams_common.store.vast.predicates import check_integers
from tams_common.store.vast.stored import ROW_ID, Stored
from tams_common.store.where import Scalar

_STRANGERS: Final = 2
"""So many rows for each key may be sent where keys are not listed."""


class Session:
    """Reads in one transaction, which begins with the first question.

    Row ids are remembered by key: they hold within this transaction, and a flush needs them.
    """

    def __init__(self, link: Link, layouts: Layouts, *, tables: Mapping[str, Stored]) -> None:
        self.link = link
        self._layouts = layouts
        self._tables = tables
        self._transaction: Transaction | None = None
        self._row_ids: dict[str, dict[Key, Any]] = {}
        self.failure: TamsError | None = None

    @property
    def active(self) -> bool:
        """Whether a transaction is open."""
        return self._transaction is not None

    @property
    def transaction(self) -> Transaction:
        """The open transaction; begins one when there is none."""
        return self.begin() if self._transaction is None else self._transaction

    def begin(self) -> Transaction:
        """Sees to it that a transaction is open, before several threads ask in it."""
        if self._transaction is None:
            self.failure = None
            self._transaction = self.link.begin()
        return self._transaction

    def release(self) -> Transaction:
        """Lets go of the transaction and of what was learnt in it: whoever calls this ends it at the server."""
        transaction = self.transaction
        self._transaction = None
        self._row_ids.clear()
        self.failure = None
        return transaction

    def ask(self, ask: Ask) -> Answer:
        """Queries within the transaction. A failure is remembered: who asked may not tell."""
        check_integers(ask.where)
        try:
            return self.link.query(self.transaction, ask)
        except TamsError as error:
            self.failure = error
            raise

    def fetch(self, table: Table[R], keys: Sequence[Key]) -> dict[Key, R]:
        """As `Backend.fetch`."""
        make = self._layouts.of(table).make
        names = self._layouts.of(table).names
        return {key: make(cells) for key, cells in self.find(table, keys, columns=names).items()}

    def find(self, table: AnyTable, keys: Sequence[Key], *, columns: Sequence[str]) -> dict[Key, Cells]:
        """`columns` of the rows that exist among `keys`; their row ids are remembered."""
        stored = self._tables[table.name]
        known = self._row_ids.setdefault(table.name, {})
        asked = tuple(dict.fromkeys((*table.key, *columns)))
        key_of, cells_of = picker(asked, table.key), picker(asked, columns)
        found: dict[Key, Cells] = {}
        for batch in by_key.batches(keys):
            wanted = set(batch)
            answer = self._batch(stored, (*asked, ROW_ID), keys=batch)
            for row in answer.rows:
                key = key_of(row)
                if key in wanted:
                    found[key] = cells_of(row)
                    known[key] = row[-1]
            known.update((key, None) for key in batch if key not in found)
        return found

    def _batch(self, stored: Stored, columns: tuple[str, ...], *, keys: Sequence[Key]) -> Answer:
        """The rows of `keys` with some others. Keys that lie close together need not be listed."""
        names = stored.layout.table.key
        span = by_key.span(names, keys)
        if span is not None:
            answer = self.ask(Ask(stored, columns, span, most=_STRANGERS * len(keys)))
            if answer.whole:
                return answer
        return self.ask(Ask(stored, columns, by_key.conditions(names, keys)))

    def row_ids(self, table: AnyTable, keys: Sequence[Key]) -> dict[Key, Any]:
        """The row ids of those of `keys` that exist, asked for where not known yet."""
        known = self._row_ids.setdefault(table.name, {})
        self.find(table, [key for key in keys if key not in known], columns=())
        return {key: known[key] for key in keys if known[key] is not None}

    def fetch_page(self, table: AnyTable, columns: Sequence[str], *, query: Query) -> Page[tuple[Scalar, ...]]:
        """As `Backend.fetch_page`."""
        return Paging(self, self._tables[table.name], columns=columns, query=query).page()

    def stored(self, table: AnyTable) -> Stored:
        """The table as VAST DB knows it."""
        return self._tables[table.name]


def end(session: Session) -> None:
    """Ends an open transaction without effect; one that cannot be reached expires."""
    if session.active:
        transaction = session.release()
        with suppress(TamsError):
            session.link.roll_back(transaction)
