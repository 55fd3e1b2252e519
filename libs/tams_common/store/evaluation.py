"""Conditions and orders in Python, for rows that are written but not yet flushed; they mean what adapters push down."""

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from tams_common.store.where import AnyOf, Between, Compare, Condition, Contains, IsIn, IsNull, Scalar, StartsWith

_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

Place: TypeAlias = tuple[tuple[bool, Any], ...]
"""A row's place in an order: nulls come after values (SORT-8)."""


def meets(row: object, where: Iterable[Condition]) -> bool:
    """Whether `row` meets every condition."""
    return all(holds(getattr(row, condition.column), condition) for condition in where)


def place(values: Iterable[Scalar]) -> Place:
    """The place of a row whose order columns hold `values`."""
    return tuple((value is None, 0 if value is None else value) for value in values)


def holds(cell: Any, condition: Condition) -> bool:  # noqa: ANN401 -- a cell is compared with what it was declared as
    """Whether a row whose column holds `cell` meets `condition`."""
    match condition:
        case IsNull(negate=negate):
            return (cell is None) is not negate
        case AnyOf(conditions=parts):
            return any(holds(cell, part) for part in parts)
        case _ if cell is None:
            return False
        case Compare(op=op, value=value):
            return _COMPARE[op](cell, value)
        case Between(low=low, high=high):
            return bool(low <= cell <= high)
        case IsIn(values=values):
            return cell in values
        case StartsWith(prefix=prefix):
            return bool(cell.startswith(prefix))
        case Contains(part=part, negate=negate):
            return (part in cell) is not negate
