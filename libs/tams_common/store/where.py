"""What a scan may ask: an AND of conditions, each on one column, as VAST DB can push them down (architecture 3)."""

from typing import Final, Literal, TypeAlias

import msgspec

Scalar: TypeAlias = int | str | bytes | bool | None
Operator: TypeAlias = Literal["==", "<", "<=", ">", ">="]

MOST_VALUES: Final = 10_000
"""The most values that one `IsIn` takes."""


class Compare(msgspec.Struct, frozen=True):
    """`column op value`; a null never compares."""

    column: str
    op: Operator
    value: int | str | bytes | bool


class Between(msgspec.Struct, frozen=True):
    """`low <= column <= high`."""

    column: str
    low: int | str
    high: int | str


class IsIn(msgspec.Struct, frozen=True):
    """The column has one of `values`, at most `MOST_VALUES`; no values, no rows. `Reader.get_many` takes more keys."""

    column: str
    values: tuple[int | str, ...]

    def __post_init__(self) -> None:
        if len(self.values) > MOST_VALUES:
            raise ValueError(f"IsIn takes at most {MOST_VALUES} values: VAST DB refuses larger requests")


class StartsWith(msgspec.Struct, frozen=True):
    """The text column begins with `prefix`, by code points."""

    column: str
    prefix: str


class Contains(msgspec.Struct, frozen=True):
    """The text column contains `part`, by code points, or with `negate` has a value without it.

    VAST DB cannot push the negation down: its adapter drops rows after it has read them, so no windowed table takes it.
    """

    column: str
    part: str
    negate: bool = False


class IsNull(msgspec.Struct, frozen=True):
    """The column is null, or with `negate` has a value."""

    column: str
    negate: bool = False


class AnyOf(msgspec.Struct, frozen=True):
    """At least one of `conditions`, all of them on one column."""

    conditions: tuple[Compare | Between | StartsWith | Contains | IsNull, ...]

    def __post_init__(self) -> None:
        if len({condition.column for condition in self.conditions}) != 1:
            raise ValueError("AnyOf takes conditions on exactly one column: VAST DB pushes nothing else down")
        if any(type(condition) is Contains and condition.negate for condition in self.conditions):
            raise ValueError("AnyOf takes no negated Contains: VAST DB does not push it down")

    @property
    def column(self) -> str:
        """The one column."""
        return self.conditions[0].column


Condition: TypeAlias = Compare | Between | IsIn | StartsWith | Contains | IsNull | AnyOf


def eq(column: str, value: int | str | bytes | bool) -> Compare:
    """`column == value`."""
    return Compare(column, "==", value)


def lt(column: str, value: int | str) -> Compare:
    """`column < value`."""
    return Compare(column, "<", value)


def le(column: str, value: int | str) -> Compare:
    """`column <= value`."""
    return Compare(column, "<=", value)


def gt(column: str, value: int | str) -> Compare:
    """`column > value`."""
    return Compare(column, ">", value)


def ge(column: str, value: int | str) -> Compare:
    """`column >= value`."""
    return Compare(column, ">=", value)
