"""What a query says, as the ibis expressions that the SDK pushes down; it refuses all others."""

from collections.abc import Iterable
from functools import reduce
from operator import and_, eq, ge, gt, le, lt, or_
from typing import Any, Final, TypeAlias

from tams_common.errors import InvalidInput
from tams_common.store.column import INT_MAX, INT_MIN
from tams_common.store.where import AnyOf, Between, Compare, Condition, Contains, IsIn, IsNull, StartsWith

Expression: TypeAlias = Any
"""A boolean ibis column."""

_COMPARE: Final = {"==": eq, "<": lt, "<=": le, ">": gt, ">=": ge}


def predicate(table: Any, where: Iterable[Condition]) -> Expression | None:  # noqa: ANN401 -- an ibis table
    """All of `where` on the columns of `table`; None when there is nothing to meet."""
    parts = [_expression(table[condition.column], condition) for condition in where]
    return reduce(and_, parts) if parts else None


def impossible(where: Iterable[Condition]) -> bool:
    """Whether no row can meet `where`: VAST DB does not take a list of no values."""
    return any(type(condition) is IsIn and not condition.values for condition in where)


def check_integers(where: Iterable[Condition]) -> None:
    """Raises InvalidInput for a number that no column can hold."""
    for condition in where:
        match condition:
            case Compare(value=value):
                values: tuple[object, ...] = (value,)
            case Between(low=low, high=high):
                values = (low, high)
            case IsIn():
                values = condition.values
            case AnyOf(conditions=parts):
                check_integers(parts)
                continue
            case _:
                continue
        if any(type(value) is int and not INT_MIN <= value <= INT_MAX for value in values):
            raise InvalidInput(f"a value for {condition.column} lies outside the integers of 64 bits")


def _expression(column: Expression, condition: Condition) -> Expression:
    match condition:
        case Compare(op=op, value=value):
            return _COMPARE[op](column, value)
        case Between(low=low, high=high):
            return column.between(low, high)
        case IsIn(values=values):
            return column.isin(tuple(dict.fromkeys(values)))
        case StartsWith(prefix=""):
            return ~column.isnull()
        case StartsWith(prefix=prefix):
            return column.startswith(prefix)
        case Contains(part=""):
            return ~column.isnull()
        case Contains(part=part):
            return column.contains(part)
        case IsNull(negate=negate):
            return ~column.isnull() if negate else column.isnull()
        case AnyOf(conditions=parts):
            return reduce(or_, [_expression(column, part) for part in parts])
