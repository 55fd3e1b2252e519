"""What a store works out once of each declared table."""

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from operator import attrgetter
from typing import Any, Generic, TypeAlias

import msgspec

from tams_common.errors import NotFound
from tams_common.store.column import PYTHON_TYPES, Column, check_cells, columns_of, fits_surely
from tams_common.store.table import AnyTable, Key, Projection, R, Table, Windowed
from tams_common.store.where import Scalar


class Layout(Generic[R]):
    """A table, ready to work with: its columns, and fast ways from rows to keys and values and back."""

    __slots__ = (
        "_fitting",
        "_getter",
        "_kinds",
        "_orders",
        "_places",
        "by_name",
        "columns",
        "fixed_by_windows",
        "kinds",
        "make",
        "names",
        "table",
        "tokens",
        "windowed",
    )

    def __init__(self, table: Table[R]) -> None:
        self.table = table
        self.columns: tuple[Column, ...] = columns_of(table.row)
        self.names = tuple(column.name for column in self.columns)
        self.by_name = {column.name: column for column in self.columns}
        self.kinds = {column.name: PYTHON_TYPES[column.kind] for column in self.columns}
        self.windowed = isinstance(table.paging, Windowed)
        self.tokens = () if isinstance(table.paging, Windowed) else table.paging.tokens
        self.fixed_by_windows = frozenset(table.order[:-1])
        self.make: Callable[[tuple[Any, ...]], R] = _maker(table.row)
        self._kinds = tuple(self.kinds[name] for name in table.key)
        self._getter: Callable[[R], Any] = attrgetter(*table.key)
        # Combinations of cells' types that some row had and may have: as many as there are ways to leave columns null.
        self._fitting: set[tuple[type, ...]] = set()
        self._orders: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._places: dict[tuple[str, ...], tuple[int, ...]] = {}
        for name in table.key:
            if self.column(name).nullable or self.column(name).kind not in {"int", "str"}:
                raise TypeError(f"table {table.name}: key column {name} must be int or str, and never null")
        for name in table.order:
            if (self.windowed or self.tokens) and self.column(name).nullable:
                raise TypeError(f"table {table.name}: sort column {name} must not be null in a table so paged")
        for name in self.tokens:
            if self.column(name).nullable or self.column(name).kind != "str":
                raise TypeError(f"table {table.name}: column {name} of tokens must be str, and never null")

    def column(self, name: str) -> Column:
        """The column `name`; TypeError for one that is not declared."""
        try:
            return self.by_name[name]
        except KeyError:
            raise TypeError(f"table {self.table.name} has no column {name}") from None

    def key_of(self, row: R) -> Key:
        """The key of `row`."""
        key = self._getter(row)
        return key if len(self.table.key) > 1 else (key,)

    def keys_of(self, rows: Sequence[R]) -> list[Key]:
        """The keys of `rows`, in their order."""
        keys = map(self._getter, rows)
        return list(keys) if len(self.table.key) > 1 else list(zip(keys, strict=True))

    def check_key(self, key: Key) -> None:
        """Raises TypeError for a key that this table cannot have."""
        if tuple(map(type, key)) != self._kinds:
            self.check_keys((key,))

    def check_keys(self, keys: Sequence[Key]) -> None:
        """Raises TypeError for keys that this table cannot have."""
        lengths = set(map(len, keys)) - {len(self.table.key)}
        if lengths or any(
            set(map(type, cells)) != {kind} for kind, cells in zip(self._kinds, zip(*keys, strict=True), strict=False)
        ):
            kinds = ", ".join(kind.__name__ for kind in self._kinds)
            raise TypeError(f"a key of table {self.table.name} is a tuple of {kinds}")

    def check(self, rows: Sequence[R]) -> None:
        """Raises InvalidInput or TypeError for rows that this table cannot keep."""
        if set(map(type, rows)) - {self.table.row}:
            raise TypeError(f"table {self.table.name} takes rows of {self.table.row.__name__}")
        for cells in map(msgspec.structs.astuple, rows):
            kinds = tuple(map(type, cells))
            if kinds not in self._fitting or not fits_surely(kinds, cells):
                check_cells(self.columns, cells, table=self.table.name)
                self._fitting.add(kinds)

    def bool_places(self, names: tuple[str, ...]) -> tuple[int, ...]:
        """Where among the columns `names` those of bools are: not every database knows the type."""
        places = self._places.get(names)
        if places is None:
            places = self._places[names] = tuple(at for at, name in enumerate(names) if self.kinds[name] is bool)
        return places

    def total_order(self, order: tuple[str, ...]) -> tuple[str, ...]:
        """`order` (the table's own when empty), then the key columns that it lacks: no two rows tie."""
        total = self._orders.get(order)
        if total is None:
            columns = order or self.table.order
            for name in columns:
                self.column(name)
            total = columns + tuple(name for name in self.table.key if name not in columns)
            self._orders[order] = total
        return total

    def projection_of(self, order: tuple[str, ...]) -> Projection | None:
        """The projection in whose order `order` is, which is total; None for the table's own, and for any other."""
        if order == self.total_order(()):
            return None
        return next((each for each in self.table.projections if self.total_order(each.columns) == order), None)


AnyLayout: TypeAlias = Layout[Any]


class Layouts:
    """The layouts of all tables of one store."""

    def __init__(self, tables: Sequence[AnyTable]) -> None:
        self._by_name: dict[str, AnyLayout] = {table.name: Layout(table) for table in tables}
        if len(self._by_name) != len(tables):
            raise TypeError("two tables of one store have the same name")
        for table in tables:
            self._check_guard(table)

    def of(self, table: Table[R]) -> Layout[R]:
        """The layout of `table`; TypeError for a table that this store was not given."""
        layout = self._by_name.get(table.name)
        if layout is None or (layout.table is not table and layout.table != table):
            raise TypeError(f"table {table.name} is not declared in this store")
        return layout

    def projection(self, table: str, name: str) -> Projection:
        """The projection `name` of the table named `table`; raises `NotFound` for one that is not declared."""
        if table not in self._by_name:
            raise NotFound(f"there is no table {table!r}; there are: {', '.join(self._by_name)}")
        declared = {projection.name: projection for projection in self._by_name[table].table.projections}
        if name not in declared:
            raise NotFound(f"table {table} has no projection {name!r}; it has: {', '.join(declared) or 'none'}")
        return declared[name]

    def named(self) -> Mapping[str, AnyLayout]:
        """All layouts by table name, in the order of declaration."""
        return self._by_name

    def _check_guard(self, table: AnyTable) -> None:
        guard = table.guarded_by
        if guard is None:
            return
        guarding = self._by_name.get(guard.table)
        if guarding is None or len(guarding.table.key) != len(guard.columns):
            raise TypeError(f"table {table.name}: its guard names no key of a table {guard.table} in this store")


def _maker(row: type[R]) -> Callable[[tuple[Scalar, ...]], R]:
    """How a row is built from its values in the order of the fields, keyword-only ones included."""
    fields = row.__struct_fields__
    keywords = sum(p.kind is Parameter.KEYWORD_ONLY for p in signature(row).parameters.values())
    positional = len(fields) - keywords
    if not keywords:
        return lambda values: row(*values)
    return lambda values: row(*values[:positional], **dict(zip(fields[positional:], values[positional:], strict=True)))
