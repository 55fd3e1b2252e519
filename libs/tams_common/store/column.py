"""The columns of a row type, and what a cell may hold: the same on every adapter."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import inspect

from tams_common.errors import InvalidInput
from tams_common.store.where import Scalar

Kind: TypeAlias = Literal["int", "str", "bytes", "bool"]

CELL_BYTES: Final = 128 * 1024
"""The most that VAST DB keeps in one cell; text counts as UTF-8."""

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1

PYTHON_TYPES: Final[dict[Kind, type]] = {"int": int, "str": str, "bytes": bytes, "bool": bool}
"""The one type of a column's values besides None: not a subclass, which no database would give back."""
_SURE_CHARACTERS: Final = CELL_BYTES // 4
"""Text of so many characters fits whatever they are."""


class Column(msgspec.Struct, frozen=True):
    """One column; `default`, where set, is what rows get that were stored before the column was declared."""

    name: str
    kind: Kind
    nullable: bool
    default: Scalar | msgspec.UnsetType = msgspec.UNSET


def columns_of(row: type[msgspec.Struct]) -> tuple[Column, ...]:
    """The columns that the fields of `row` declare; TypeError for a field that is no column."""
    info = inspect.type_info(row)
    if not isinstance(info, inspect.StructType):
        raise TypeError(f"{row.__name__} is not a row type: rows are Structs")
    return tuple(_column(row.__name__, field) for field in info.fields)


def fits_surely(kinds: Iterable[type], cells: Iterable[Any]) -> bool:
    """Whether cells of these types hold nothing that could be too large; text is taken for the widest there is.

    Every row that is written passes through here, so this is one plain loop.
    """
    for kind, cell in zip(kinds, cells, strict=True):
        if kind is int:
            if not INT_MIN <= cell <= INT_MAX:
                return False
        elif kind is str:
            if len(cell) > _SURE_CHARACTERS:
                return False
        elif kind is bytes and len(cell) > CELL_BYTES:
            return False
    return True


def check_cells(columns: Sequence[Column], cells: Sequence[Scalar], *, table: str) -> None:
    """Raises InvalidInput for cells that VAST DB could not keep, TypeError for values not of the column's type."""
    for column, cell in zip(columns, cells, strict=True):
        kind = type(cell)
        if kind is not PYTHON_TYPES[column.kind] and not (cell is None and column.nullable):
            raise TypeError(f"table {table}: column {column.name} takes {column.kind}, not {kind.__name__}")
        if isinstance(cell, str):
            _check_length(column, len(cell.encode()), table=table)
        elif isinstance(cell, bytes):
            _check_length(column, len(cell), table=table)
        elif cell is not None and not INT_MIN <= cell <= INT_MAX:
            raise InvalidInput(f"table {table}: column {column.name} takes integers of 64 bits")


def _check_length(column: Column, length: int, *, table: str) -> None:
    if length > CELL_BYTES:
        raise InvalidInput(f"table {table}: column {column.name} takes at most {CELL_BYTES} bytes, not {length}")


def _column(row: str, field: inspect.Field) -> Column:
    parts = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
    values = [part for part in parts if not isinstance(part, inspect.NoneType)]
    kind = _kind(values[0]) if len(values) == 1 else None
    if kind is None:
        raise TypeError(f"{row}.{field.name}: a column is int, str, bytes or bool, or one of these with None")
    default = msgspec.UNSET if field.default is msgspec.NODEFAULT else field.default
    return Column(field.name, kind, nullable=len(values) < len(parts), default=default)


def _kind(declared: inspect.Type) -> Kind | None:
    match declared:
        case inspect.BoolType():
            return "bool"
        case inspect.IntType():
            return "int"
        case inspect.StrType():
            return "str"
        case inspect.BytesType():
            return "bytes"
        case inspect.LiteralType(values=values) if all(isinstance(value, str) for value in values):
            return "str"
    return None
