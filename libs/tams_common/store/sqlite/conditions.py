"""What a query says, as SQL with bound values."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from tams_common.store.layout import AnyLayout
from tams_common.store.port import Query
from tams_common.store.scans import fixed_columns
from tams_common.store.sqlite.sql import quoted, quoted_list
from tams_common.store.where import AnyOf, Between, Compare, Condition, Contains, IsIn, IsNull, Scalar, StartsWith

Values: TypeAlias = list[Scalar]

_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def where_clause(layout: AnyLayout, query: Query) -> tuple[str, Values]:
    """WHERE with its values; empty without conditions. Few distinct texts: each is prepared once and kept."""
    values: Values = []
    parts: list[str] = []
    for condition in query.where:
        if type(condition) is Compare:
            values.append(condition.value)
            parts.append(f'"{condition.column}" {condition.op} ?')
        else:
            parts.append(condition_text(condition, values))
    if query.after is not None:
        parts.append(_beyond(layout, query, values=values))
    return (" WHERE " + " AND ".join(parts) if parts else ""), values


def padded(values: Sequence[Any]) -> Sequence[Any]:
    """`values` with the last one repeated up to a power of two: 14 statements serve any number up to 10,000."""
    size = 1 << (len(values) - 1).bit_length()
    return [*values, *[values[-1]] * (size - len(values))]


def condition_text(condition: Condition, values: Values, *, row: str = "") -> str:
    """`condition` on the columns of `row`, an alias with its dot; its values are added to `values`."""
    column = row + quoted(condition.column)
    match condition:
        case Compare(op=op, value=value):
            values.append(value)
            return f"{column} {op} ?"
        case Between(low=low, high=high):
            values += (low, high)
            return f"{column} BETWEEN ? AND ?"
        case IsIn():
            return _is_in(column, condition.values, values=values)
        case StartsWith(prefix=prefix):
            return _starts_with(column, prefix, values=values)
        case Contains(part=part, negate=negate):
            values.append(part)
            return f"instr({column}, ?) {'=' if negate else '>'} 0"
        case IsNull(negate=negate):
            return f"{column} IS {'NOT ' if negate else ''}NULL"
        case AnyOf(conditions=conditions):
            return "(" + " OR ".join(condition_text(part, values, row=row) for part in conditions) + ")"


def _is_in(column: str, found: Sequence[int | str], *, values: Values) -> str:
    if not found:
        return "0"
    members = padded(found)
    values += members
    return f"{column} IN ({', '.join('?' * len(members))})"


def _starts_with(column: str, prefix: str, *, values: Values) -> str:
    """As a range, so that an index can serve it."""
    if not prefix:
        return f"{column} IS NOT NULL"
    values.append(prefix)
    stem = prefix.rstrip(chr(_LAST_CODE_POINT))
    if not stem:
        return f"{column} >= ?"
    following = ord(stem[-1]) + 1
    values.append(stem[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following))
    return f"({column} >= ? AND {column} < ?)"


def _beyond(layout: AnyLayout, query: Query, *, values: Values) -> str:
    """The rows after a position; columns that the query fixes decide nothing."""
    fixed = fixed_columns(query.where)
    steps = [pair for pair in zip(query.order, query.after or (), strict=True) if pair[0] not in fixed]
    if not steps:
        return "0"
    sign = "<" if query.reverse else ">"
    if not any(layout.by_name[name].nullable for name, _ in steps):
        values += (value for _, value in steps)
        columns, marks = quoted_list([name for name, _ in steps]), ", ".join("?" * len(steps))
        return f"({columns}) {sign} ({marks})"
    alternatives = []
    for at, (name, value) in enumerate(steps):
        parts = []
        for earlier, same in steps[:at]:
            parts.append(f"{quoted(earlier)} IS ?")
            values.append(same)
        parts.append(_step(quoted(name), value, reverse=query.reverse, values=values))
        alternatives.append(" AND ".join(parts))
    return "(" + " OR ".join(alternatives) + ")"


def _step(column: str, value: Scalar, *, reverse: bool, values: Values) -> str:
    if value is None:
        return f"{column} IS NOT NULL" if reverse else "0"
    values.append(value)
    return f"{column} < ?" if reverse else f"({column} > ? OR {column} IS NULL)"
