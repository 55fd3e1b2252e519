"""What a scan may ask: an AND of conditions, each on one column, as VAST DB can push them down (architecture 3)."""

from typing import Literal, TypeAlias

import msgspec

Scalar: TypeAlias = int | str | bytes | bool | None
Operator: TypeAlias = Literal["==", "<", "<=", ">", ">="]


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
    """The column has one of `values`; no values, no rows."""

    column: str
    values: tuple[int | str, ...]


class StartsWith(msgspec.Struct, frozen=True):
    """The text column begins with `prefix`, by code points."""

    column: str
    prefix: str


class Contains(msgspec.Struct, frozen=True):
    """The text column contains `part`, by code points."""

    column: str
    part: str


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
