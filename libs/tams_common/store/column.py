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
_WIDEST_CHARACTER: Final = 4


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


def check_cells(columns: Sequence[Column], rows: Iterable[tuple[Scalar, ...]], *, table: str) -> None:
    """Raises InvalidInput for cells that VAST DB could not keep, TypeError for values not of the column's type.

    Works by columns, not by cells: bulk inserts pass through here.
    """
    for column, cells in zip(columns, zip(*rows, strict=True), strict=False):
        kinds = set(map(type, cells))
        if column.nullable and type(None) in kinds:
            kinds.remove(type(None))
            cells = tuple(cell for cell in cells if cell is not None)
        if not kinds:
            continue
        if kinds != {PYTHON_TYPES[column.kind]}:
            found = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise TypeError(f"table {table}: column {column.name} takes {column.kind}, not {found}")
        _check_size(column, cells, table=table)


def _check_size(column: Column, cells: tuple[Any, ...], *, table: str) -> None:
    if column.kind == "int":
        if min(cells) < INT_MIN or max(cells) > INT_MAX:
            raise InvalidInput(f"table {table}: column {column.name} takes integers of 64 bits")
    elif column.kind == "str":
        if max(map(len, cells)) > CELL_BYTES // _WIDEST_CHARACTER:
            _check_length(column, max(len(cell.encode()) for cell in cells), table=table)
    elif column.kind == "bytes":
        _check_length(column, max(map(len, cells)), table=table)


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
