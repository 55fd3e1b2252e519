"""A table's columns: which types VAST stores, and how a column keeps its identity when it is renamed."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from vast_emulator.engine.errors import EngineError, invalid

_MAX_LIST_SIZE = 1 << 20


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its id for life within its table, and its name and type now."""

    id: int
    field: pa.Field

    @property
    def name(self) -> str:
        """Its name now."""
        return str(self.field.name)


def check_types(fields: Iterable[pa.Field]) -> None:
    """Refuses (400) what VAST cannot store."""
    for field in fields:
        _check_type(field.type)


def _check_type(kind: pa.DataType) -> None:
    types = pa.types
    if types.is_fixed_size_list(kind):
        _check_vector(kind)
    elif types.is_list(kind):
        _check_type(kind.value_type)
    elif types.is_map(kind):
        _check_type(kind.key_type)
        _check_type(kind.item_type)
    elif types.is_struct(kind):
        check_types(kind)
    elif (
        types.is_null(kind)
        or types.is_dictionary(kind)
        or types.is_union(kind)
        or types.is_large_string(kind)
        or types.is_large_binary(kind)
        or types.is_large_list(kind)
        or types.is_date64(kind)
    ):
        raise _unsupported(kind)


def _check_vector(kind: pa.DataType) -> None:
    types, item = pa.types, kind.value_field
    if kind.list_size == 0:
        raise invalid("a vector of no elements", code="TabularInvalidColumnTypeParam")
    if (
        item.nullable
        or kind.list_size > _MAX_LIST_SIZE
        or types.is_nested(item.type)
        or types.is_string(item.type)
        or types.is_binary(item.type)
        or types.is_boolean(item.type)
    ):
        raise _unsupported(kind)


def _unsupported(kind: pa.DataType) -> EngineError:
    return invalid(f"TabularUnsupportedColumnType {kind}", code="TabularUnsupportedColumnType")
