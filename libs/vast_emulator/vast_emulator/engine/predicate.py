"""What a query asks of a row, as values: AND over terms, each an OR over conditions on one column.

The wire face decodes these from the request; the engine evaluates and prunes with them.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import pyarrow as pa

Operator: TypeAlias = Literal["equal", "not_equal", "greater", "greater_equal", "less", "less_equal"]


@dataclass(frozen=True, slots=True)
class Ref:
    """A column, or the struct field at `path` (child positions) inside it; `$row_id` is a uint64 column of every table.

    A fixed-size list is compared as a whole: its path ends at the list.
    """

    column: str
    path: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Compare:
    """`ref operator value`. `value` has the column's type; for utf8 columns it may be binary (raw bytes)."""

    ref: Ref
    operator: Operator
    value: pa.Scalar


@dataclass(frozen=True, slots=True)
class IsIn:
    """Equal to one of `values` (an array of the column's type, or binary for utf8; no nulls)."""

    ref: Ref
    values: pa.Array


@dataclass(frozen=True, slots=True)
class IsNull:
    """Null; with `negate`, not null."""

    ref: Ref
    negate: bool = False


@dataclass(frozen=True, slots=True)
class Contains:
    """A utf8 or binary column that holds `part` somewhere."""

    ref: Ref
    part: bytes


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds; without parts, always true."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds; without parts, never true."""

    parts: tuple["Condition", ...]


Condition: TypeAlias = Compare | IsIn | IsNull | Contains | AllOf | AnyOf
