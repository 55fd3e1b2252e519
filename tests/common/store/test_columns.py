"""Row types become columns, and declarations that no adapter could keep are refused where they are made."""

from typing import Literal, NewType

import msgspec
import pytest

from tams_common.store import Guard, IsIn, Projection, Table, Windowed
from tams_common.store.column import Column, columns_of
from tams_common.store.layout import Layouts
from tams_common.store.table import AnyTable
from tams_common.store.where import MOST_VALUES, AnyOf, eq

Name = NewType("Name", str)


class Everything(msgspec.Struct, frozen=True):
    name: Name
    number: int
    text: str | None
    raw: bytes = b"x"
    flag: bool = False
    word: Literal["a", "b"] = "a"
    perhaps: Literal["a"] | None = None


class Nullable(msgspec.Struct, frozen=True):
    id: str
    at: int | None
    raw: bytes = b""


class Nested(msgspec.Struct, frozen=True):
    id: str
    row: list[str]


class Mixed(msgspec.Struct, frozen=True):
    id: str | int


def test_fields_become_columns() -> None:
    assert columns_of(Everything) == (
        Column("name", "str", nullable=False),
        Column("number", "int", nullable=False),
        Column("text", "str", nullable=True),
        Column("raw", "bytes", nullable=False, default=b"x"),
        Column("flag", "bool", nullable=False, default=False),
        Column("word", "str", nullable=False, default="a"),
        Column("perhaps", "str", nullable=True, default=None),
    )


@pytest.mark.parametrize(("row", "field"), [(Nested, "row"), (Mixed, "id")])
def test_a_field_of_another_type_is_no_column(row: type[msgspec.Struct], field: str) -> None:
    with pytest.raises(TypeError, match=f"{row.__name__}.{field}"):
        columns_of(row)


HEADS = Table("heads", Everything, key=("name", "number"))


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ([Table("t", Nullable, key=("at",))], "key column at"),
        ([Table("t", Nullable, key=("raw",))], "key column raw"),
        ([Table("t", Nullable, key=("id",), sort=("at",), paging=Windowed())], "sort column at"),
        ([HEADS, HEADS], "same name"),
        ([Table("t", Nullable, key=("id",), guarded_by=Guard("heads", ("id",)))], "guard"),
        ([HEADS, Table("t", Nullable, key=("id",), guarded_by=Guard("heads", ("id",)))], "guard"),
    ],
)
def test_a_declaration_that_cannot_be_kept_is_a_mistake(tables: list[AnyTable], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        Layouts(tables)


def test_a_declaration_names_columns_of_its_row() -> None:
    with pytest.raises(TypeError, match="Nullable"):
        Table("t", Nullable, key=("id",), projections=(Projection("p", ("nothing",)),))


def test_conditions_that_vast_db_cannot_push_down_are_mistakes() -> None:
    with pytest.raises(ValueError, match="one column"):
        AnyOf((eq("a", 1), eq("b", 1)))
    with pytest.raises(ValueError, match=str(MOST_VALUES)):
        IsIn("a", tuple(range(MOST_VALUES + 1)))
