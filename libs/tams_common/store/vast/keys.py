"""Conditions that find rows by their keys."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from tams_common.store.table import Key
from tams_common.store.where import Between, Condition, IsIn, eq

_AT_ONCE: Final = 512
"""Keys in one request: of two columns each, as many as a form has blanks."""

_WORTH_A_TRY: Final = 32
"""So many keys make a request so long that it may be worth one more to do without their list."""


def batches(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """`keys` cut into requests; sorted, so that keys of several columns share their first ones."""
    if len(keys) <= 1:
        yield from (keys,) if keys else ()
        return
    ordered = sorted(keys)
    for start in range(0, len(ordered), _AT_ONCE):
        yield ordered[start : start + _AT_ONCE]


def conditions(columns: Sequence[str], keys: Sequence[Key]) -> tuple[Condition, ...]:
    """What rows with `keys` meet; with several columns others may, too, since each column is asked by itself."""
    return tuple(_one_of(column, values) for column, values in zip(columns, zip(*keys, strict=True), strict=True))


def span(columns: Sequence[str], keys: Sequence[Key]) -> tuple[Condition, ...] | None:
    """What `keys` and perhaps many others meet, said more cheaply: between two numbers of the last column."""
    numbers = [key[-1] for key in keys if isinstance(key[-1], int)]
    if len(columns) == 1 or len(keys) < _WORTH_A_TRY or len(numbers) < len(keys):
        return None
    firsts = conditions(columns[:-1], [key[:-1] for key in keys])
    return (*firsts, Between(columns[-1], min(numbers), max(numbers)))


def _one_of(column: str, values: Sequence[Any]) -> Condition:
    different = tuple(dict.fromkeys(values))
    return eq(column, different[0]) if len(different) == 1 else IsIn(column, different)
