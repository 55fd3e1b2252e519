"""The ways to the rows of a filtered page, each as one statement; what they cost is `search`'s to weigh."""

from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeAlias

from tams_common.store.layout import AnyLayout
from tams_common.store.port import Query
from tams_common.store.sqlite.conditions import Values, condition_text
from tams_common.store.sqlite.postings import Posting
from tams_common.store.sqlite.sql import quoted
from tams_common.store.where import AnyOf, Condition, Contains, Scalar

Place: TypeAlias = tuple[Any, ...]
"""The order columns of a row."""
Span: TypeAlias = tuple[Place | None, Place | None]
"""The places beyond the first and up to the second one; None is unbounded."""

_ENTRY: Final = "p"
_OTHER: Final = "q"
_ROW: Final = "r"


class Runs(Protocol):
    """What runs a statement."""

    def execute(self, text: str, values: Sequence[Scalar] = ()) -> list[tuple[Any, ...]]:
        """Its rows."""
        ...


class _Select:
    """A statement in the making: the columns that it orders by are those that it returns."""

    def __init__(self, alias: str, order: Sequence[str], *, reverse: bool) -> None:
        self.source = ""
        self.values: Values = []
        self._alias = alias
        self._order = order
        self._reverse = reverse
        self._where: list[str] = []

    def where(self, *texts: str) -> None:
        """Adds conditions, whose values have been added."""
        self._where += texts

    def within(self, span: Span) -> None:
        """Leaves only places of `span`."""
        row = f"({', '.join(f'{self._alias}.{quoted(name)}' for name in self._order)})"
        for place, sign in zip(span, ("<", ">=") if self._reverse else (">", "<="), strict=True):
            if place is not None:
                self.values += place
                self.where(f"{row} {sign} ({', '.join('?' * len(place))})")

    def unordered(self) -> str:
        """The statement, as a part of one."""
        columns = ", ".join(f"{self._alias}.{quoted(name)}" for name in self._order)
        return f"SELECT {columns} FROM {self.source} WHERE {' AND '.join(self._where) or '1'}"

    def ordered(self, end: str) -> str:
        """The statement, in order."""
        direction = " DESC" if self._reverse else ""
        order = ", ".join(f"{self._alias}.{quoted(name)}{direction}" for name in self._order)
        return f"{self.unordered()} ORDER BY {order} {end}"


class Paths:
    """Statements for one query on one table. Rows are told by their order columns."""

    def __init__(self, runs: Runs, layout: AnyLayout, *, query: Query) -> None:
        self._runs = runs
        self._query = query
        self._table = quoted(layout.table.name)
        self._key = layout.table.key
        self._order = layout.total_order(())
        self._where = sorted(query.where, key=_last)
        self.in_own_order: Final = query.order == self._order

    def further(self, place: Place, other: Place) -> bool:
        """Whether `place` comes after `other`."""
        return place < other if self._query.reverse else place > other

    def about(self) -> int:
        """How many rows the table has, or a few more."""
        [(rows,)] = self._runs.execute(f"SELECT COALESCE(MAX(rowid), 0) FROM {self._table}")
        return int(rows)

    def count(self, posting: Posting, most: int) -> int:
        """How many entries a list has, counted up to `most`."""
        values: Values = []
        entries = f"SELECT 1 FROM {posting.source} AS {_ENTRY} WHERE {_clause(posting, values)} LIMIT ?"
        [(found,)] = self._runs.execute(f"SELECT COUNT(*) FROM ({entries})", (*values, most))
        return int(found)

    def mark(self, posting: Posting, after: Place | None, *, step: int) -> Place | None:
        """The place of the `step`-th entry beyond `after`, in the table's own order; None when there are fewer."""
        select = self._select(_ENTRY)
        select.source = f"{posting.source} AS {_ENTRY}"
        select.where(_clause(posting, select.values))
        select.within((after, None))
        return self._nth(select, step)

    def walk(
        self, posting: Posting, others: Sequence[Posting], *, rest: Sequence[Condition], span: Span, most: int
    ) -> list[Place]:
        """The rows of a list that stand in `others`, too, and meet `rest`: entry by entry where the query has the
        table's own order, else after a look at all of them."""
        select = self._select(_ENTRY if self.in_own_order else _ROW)
        clause, row = _clause(posting, select.values), f"{_ROW}."
        select.source = f"{posting.source} AS {_ENTRY}"
        if posting.merged:
            names = ", ".join(map(quoted, self._order))
            select.source = f"(SELECT DISTINCT {names} FROM {select.source} WHERE {clause}) AS {_ENTRY}"
        else:
            select.where(clause)
        if posting.own and self.in_own_order and not others:
            # The entry is in an index of the row; the plus keeps SQLite from every other one.
            row = f"+{_ENTRY}."
        elif rest or not self.in_own_order:
            select.source += self._row_of(posting)
        select.within(span)
        select.where(*[self._probe(other, select.values) for other in others])
        select.where(*[condition_text(condition, select.values, row=row) for condition in sorted(rest, key=_last)])
        return self._first(select, most)

    def merge(self, lists: Sequence[Posting], after: Place, *, most: int) -> list[Place]:
        """The rows of the first of `lists` that stand in all others, too: all lists are gone through side by side, in
        the table's own order."""
        texts: list[str] = []
        values: Values = []
        for posting in lists:
            select = self._select(_ENTRY)
            select.source = f"{posting.source} AS {_ENTRY}"
            select.where(_clause(posting, select.values))
            select.within((after, None))
            texts.append((" EXCEPT " if posting.negate else " INTERSECT ") if texts else "")
            texts.append(select.unordered())
            values += select.values
        direction = " DESC" if self._query.reverse else ""
        order = ", ".join(quoted(name) + direction for name in self._order)
        return self._runs.execute(f"{''.join(texts)} ORDER BY {order} LIMIT ?", (*values, most))

    def row_mark(self, after: Place | None, *, step: int) -> Place | None:
        """As `mark`, of all rows in the order of the query."""
        select = self._select(_ROW)
        select.source = f"{self._table} AS {_ROW}"
        select.within((after, None))
        return self._nth(select, step)

    def row_walk(self, span: Span, *, most: int) -> list[Place]:
        """The rows that meet the query, along the index of its order."""
        select = self._select(_ROW)
        select.source = f"{self._table} AS {_ROW}"
        select.within(span)
        # The plus keeps SQLite from every other index.
        select.where(*[condition_text(each, select.values, row=f"+{_ROW}.") for each in self._where])
        return self._first(select, most)

    def scan(self, after: Place, *, most: int) -> list[Place]:
        """The rows that meet the query, by reading all as they lie."""
        select = self._select(_ROW)
        select.source = f"{self._table} AS {_ROW} NOT INDEXED"
        select.within((after, None))
        select.where(*[condition_text(each, select.values, row=f"{_ROW}.") for each in self._where])
        return self._first(select, most)

    def _select(self, alias: str) -> _Select:
        order = self._order if alias == _ENTRY else self._query.order
        return _Select(alias, order, reverse=self._query.reverse)

    def _probe(self, other: Posting, values: Values) -> str:
        """Whether the row of the entry stands in another list."""
        values += other.values
        same = " AND ".join(_same(name, between=other.own and name in self._key) for name in self._order)
        entries = f"SELECT 1 FROM {other.source} AS {_OTHER} WHERE {_OTHER}.{other.column} {other.test} AND {same}"
        return f"{'NOT ' if other.negate else ''}EXISTS ({entries})"

    def _row_of(self, posting: Posting) -> str:
        same = " AND ".join(f"{_ROW}.{quoted(name)} = {_ENTRY}.{quoted(name)}" for name in self._key)
        if posting.own:
            same = f"{_ROW}.rowid = {_ENTRY}.rowid"
        return f" CROSS JOIN {self._table} AS {_ROW} ON {same}"

    def _first(self, select: _Select, most: int) -> list[Place]:
        return self._runs.execute(select.ordered("LIMIT ?"), (*select.values, most))

    def _nth(self, select: _Select, step: int) -> Place | None:
        return next(iter(self._runs.execute(select.ordered("LIMIT 1 OFFSET ?"), (*select.values, step - 1))), None)


def _last(condition: Condition) -> bool:
    """To look into text takes longer than anything else."""
    return isinstance(condition, Contains | AnyOf)


def _same(name: str, *, between: bool) -> str:
    """The same value in the entry and in the other list. Said as a range, it keeps SQLite from the index of the key:
    that would lead to one row, but not tell whether it meets the other list's condition."""
    value = f"{_ENTRY}.{quoted(name)}"
    return f"{_OTHER}.{quoted(name)} " + (f"BETWEEN {value} AND {value}" if between else f"= {value}")


def _clause(posting: Posting, values: Values) -> str:
    values += posting.values
    return f"{_ENTRY}.{posting.column} {posting.test}" if posting.test else "1"
