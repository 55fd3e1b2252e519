"""The SQL of one table: every text is built from the declaration, every value is bound."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Final, Generic

from tams_common.store.column import Column
from tams_common.store.layout import Layout
from tams_common.store.table import R
from tams_common.store.where import Scalar

_TYPES: Final = {"int": "INTEGER", "bool": "INTEGER", "str": "TEXT", "bytes": "BLOB"}


def quoted(name: str) -> str:
    """`name` as an identifier: column names may be words of SQL."""
    return f'"{name}"'


def quoted_list(names: Sequence[str]) -> str:
    """`names` as a list of identifiers."""
    return ", ".join(map(quoted, names))


def definition(column: Column) -> str:
    """`column` in CREATE TABLE and ADD COLUMN."""
    parts = [quoted(column.name), _TYPES[column.kind]]
    if not column.nullable:
        parts.append("NOT NULL")
    if isinstance(column.default, int | str | bytes):
        parts.append(f"DEFAULT {_literal(column.default)}")
    return " ".join(parts)


def token_table(table: str) -> str:
    """The name of the table that holds the tokens of `table`."""
    return f"{table}.tokens"


class TableSql(Generic[R]):
    """The statements of a table.

    Rows of a windowed table lie in sort order (WITHOUT ROWID), so a page is read from neighbouring places: measured,
    that makes pages 2 to 3 times as fast, but inserts of random keys a third as fast, so others keep their row ids.
    """

    def __init__(self, layout: Layout[R]) -> None:
        table = layout.table
        self._layout = layout
        self._table = quoted(table.name)
        self._selects: dict[tuple[str, ...], str] = {}
        self._orders: dict[tuple[tuple[str, ...], bool], str] = {}
        self._updates: dict[tuple[str, ...], tuple[str, Callable[[R], tuple[Scalar, ...]]]] = {}
        key = " AND ".join(f"{quoted(name)} = ?" for name in table.key)
        rest = [name for name in layout.names if name not in table.key] or list(table.key)
        marks = ", ".join("?" * len(layout.names))
        self.insert = f"INSERT INTO {self._table} ({quoted_list(layout.names)}) VALUES ({marks})"
        self.update, self.update_values = self.update_of(tuple(rest))
        self.delete = f"DELETE FROM {self._table} WHERE {key}"
        self.get = f"{self.select(layout.names)} WHERE {key}"

    def create(self) -> list[str]:
        """The table and the indexes that its key and order need."""
        layout = self._layout
        table = layout.table
        order = layout.total_order(())
        primary = order if layout.windowed else table.key
        columns = ", ".join(map(definition, layout.columns))
        options = "STRICT, WITHOUT ROWID" if layout.windowed else "STRICT"
        texts = [f"CREATE TABLE {self._table} ({columns}, PRIMARY KEY ({quoted_list(primary)})) {options}"]
        if set(primary) != set(table.key):
            texts.append(self._index("UNIQUE INDEX", "key", columns=table.key))
        if order != primary:
            texts.append(self._index("INDEX", "order", columns=order))
        if layout.tokens:
            texts.append(self._token_table(order))
        return texts

    def create_projection(self, name: str, columns: tuple[str, ...]) -> str:
        """The index of a projection."""
        return self._index("INDEX", f"projection.{name}", columns=self._layout.total_order(columns))

    def drop_projection(self, name: str) -> str:
        """Removes the index of a projection."""
        return f"DROP INDEX IF EXISTS {quoted(self.projection_index(name))}"

    def projection_index(self, name: str) -> str:
        """What the index of a projection is called."""
        return f"{self._layout.table.name}.projection.{name}"

    def add_column(self, column: Column) -> str:
        """Adds a column that has a default."""
        return f"ALTER TABLE {self._table} ADD COLUMN {definition(column)}"

    def update_of(self, columns: tuple[str, ...]) -> tuple[str, Callable[[R], tuple[Scalar, ...]]]:
        """UPDATE of some columns of a row, and how its values come from the row."""
        found = self._updates.get(columns)
        if found is None:
            key = self._layout.table.key
            assignments = ", ".join(f"{quoted(name)} = ?" for name in columns)
            text = f"UPDATE {self._table} SET {assignments} WHERE {' AND '.join(f'{quoted(name)} = ?' for name in key)}"
            found = self._updates[columns] = text, attrgetter(*columns, *key)
        return found

    def select(self, columns: tuple[str, ...]) -> str:
        """SELECT without conditions."""
        text = self._selects.get(columns)
        if text is None:
            text = self._selects[columns] = f"SELECT {quoted_list(columns)} FROM {self._table}"
        return text

    def get_many(self, count: int) -> str:
        """Rows by `count` keys. Keys of several columns are joined to the table: SQLite would answer `IN` by a scan."""
        key, names = self._layout.table.key, self._layout.names
        if len(key) == 1:
            return f"{self.select(names)} WHERE {quoted(key[0])} IN ({', '.join('?' * count)})"
        columns = ", ".join(f"{self._table}.{quoted(name)}" for name in names)
        asked = ", ".join([f"({', '.join('?' * len(key))})"] * count)
        match = " AND ".join(f"{self._table}.{quoted(name)} = asked.column{at}" for at, name in enumerate(key, 1))
        return f"SELECT {columns} FROM (VALUES {asked}) AS asked CROSS JOIN {self._table} WHERE {match}"

    def order_by(self, order: tuple[str, ...], *, reverse: bool) -> str:
        """ORDER BY with nulls after values, in reverse before them (SORT-8), and the place for a limit."""
        text = self._orders.get((order, reverse))
        if text is None:
            direction, nulls = (" DESC", " NULLS FIRST") if reverse else ("", " NULLS LAST")
            parts = [
                quoted(name) + direction + (nulls if self._layout.by_name[name].nullable else "") for name in order
            ]
            text = self._orders[order, reverse] = f" ORDER BY {', '.join(parts)} LIMIT ?"
        return text

    def _token_table(self, order: tuple[str, ...]) -> str:
        """Of which rows hold a token, the places in the table's order (`tokens`)."""
        columns = ", ".join(definition(self._layout.by_name[name]) for name in order)
        key = f"PRIMARY KEY (token, {quoted_list(order)})"
        name = quoted(token_table(self._layout.table.name))
        return f"CREATE TABLE {name} (token TEXT NOT NULL, {columns}, {key}) STRICT, WITHOUT ROWID"

    def _index(self, what: str, suffix: str, *, columns: tuple[str, ...]) -> str:
        name = quoted(f"{self._layout.table.name}.{suffix}")
        return f"CREATE {what} {name} ON {self._table} ({quoted_list(columns)})"


def _literal(value: Scalar) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    return str(int(value)) if value is not None else "NULL"
