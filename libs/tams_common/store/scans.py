"""Which scans a table allows: only what VAST DB can serve without reading the whole table (architecture 3)."""

from tams_common.errors import InvalidInput
from tams_common.store.column import PYTHON_TYPES, Column
from tams_common.store.layout import AnyLayout
from tams_common.store.port import Query
from tams_common.store.where import (
    AnyOf,
    Between,
    Compare,
    Condition,
    Contains,
    IsIn,
    Scalar,
    StartsWith,
)


def resolve(layout: AnyLayout, query: Query) -> Query:
    """`query` with its order spelled out to the last key column, as adapters take it.

    Raises TypeError for a scan that the table's paging does not allow, InvalidInput for a position (`after`) that does
    not belong to the query: positions come back from clients.
    """
    kinds = layout.kinds
    for condition in query.where:
        if type(condition) is not Compare or kinds.get(condition.column) is not type(condition.value):
            _check_condition(layout.column(condition.column), condition)
    order = layout.total_order(query.order)
    if layout.windowed:
        _check_windows(layout, query)
    resolved = Query(query.where, order, query.after, query.limit, query.reverse, query.width)
    if query.after is not None:
        _check_position(layout, resolved)
    return resolved


def fixed_columns(where: tuple[Condition, ...]) -> dict[str, Scalar]:
    """The columns that `where` holds to one value, with it."""
    return {part.column: part.value for part in where if type(part) is Compare and part.op == "=="}


def _check_condition(column: Column, condition: Condition) -> None:
    """Raises TypeError for a value of another type than the column's: databases differ in what they make of it."""
    if type(condition) is AnyOf:
        for part in condition.conditions:
            _check_condition(column, part)
        return
    kinds = _kinds(condition)
    if kinds and kinds != {PYTHON_TYPES[column.kind]}:
        found = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise TypeError(f"a condition on {column.name} takes {column.kind}, not {found}")


def _kinds(condition: Condition) -> set[type]:
    """The types of the values in `condition`."""
    match condition:
        case Compare(value=value):
            return {type(value)}
        case Between(low=low, high=high):
            return {type(low), type(high)}
        case IsIn(values=values):
            return set(map(type, values))
        case StartsWith() | Contains():
            return {str}
    return set()


def _check_windows(layout: AnyLayout, query: Query) -> None:
    table = layout.table
    for condition in query.where:
        if type(condition) is Contains and condition.negate:
            raise TypeError(f"table {table.name} is windowed: no scan negates {condition.column}")
    fixed = fixed_columns(query.where)
    if not query.order or query.order == table.order:
        prefix = layout.fixed_by_windows
        if prefix <= fixed.keys():
            return
        named = {condition.column for condition in query.where}
        if not query.reverse and named.isdisjoint(prefix):
            return
        columns = ", ".join(table.order[:-1])
        raise TypeError(f"table {table.name} is windowed: a scan fixes {columns} with ==, or sweeps all rows")
    if not any(query.order == projection.columns for projection in table.projections):
        raise TypeError(f"table {table.name} is windowed: it has no order {', '.join(query.order)}")
    if query.order[0] not in fixed:
        raise TypeError(f"table {table.name} is windowed: a scan of this projection fixes {query.order[0]} with ==")


def _check_position(layout: AnyLayout, query: Query) -> None:
    after = query.after or ()
    fixed = fixed_columns(query.where)
    if len(after) != len(query.order) or not all(
        _fits(layout.by_name[name], value) and fixed.get(name, value) == value
        for name, value in zip(query.order, after, strict=True)
    ):
        raise InvalidInput(f"table {layout.table.name}: the position does not belong to this query")


def _fits(column: Column, value: Scalar) -> bool:
    return column.nullable if value is None else type(value) is PYTHON_TYPES[column.kind]
