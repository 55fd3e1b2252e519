"""Queries that are filled in mean what the SDK's own serialisation means; the emulator's decoder reads both."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vastdb import _internal as wire

from tams_common.store.column import INT_MAX, INT_MIN
from tams_common.store.layout import Layouts
from tams_common.store.vast import place_of
from tams_common.store.vast.database import Database
from tams_common.store.vast.forms import Forms
from tams_common.store.vast.predicates import predicate
from tams_common.store.where import (
    AnyOf,
    Between,
    Compare,
    Condition,
    Contains,
    IsIn,
    IsNull,
    StartsWith,
    eq,
)
from tests.common.store.tables import TABLES
from vast_emulator.wire.relation import Asked, Both, Either, Expression, decode

PLACE = place_of("vast://nowhere.example/bucket/forms", access_key="a", secret_key="s")
STORED = Database(PLACE, "tables", layouts=Layouts(TABLES)).declared["items"]
COLUMNS = ("id", "version", "$row_id")

numbers = st.integers(INT_MIN, INT_MAX)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
operators = st.sampled_from(["==", "<", "<=", ">", ">="])
conditions = st.one_of(
    st.builds(Compare, st.just("id"), operators, texts),
    st.builds(Compare, st.just("version"), operators, numbers),
    st.builds(Compare, st.just("ready"), st.just("=="), st.booleans()),
    st.builds(Compare, st.just("body"), st.just("=="), st.binary(min_size=1)),
    st.builds(Between, st.just("version"), numbers, numbers),
    st.builds(Between, st.just("id"), texts, texts),
    st.builds(IsIn, st.just("version"), st.lists(numbers, min_size=1, max_size=9).map(tuple)),
    st.builds(IsIn, st.just("id"), st.lists(texts, min_size=1, max_size=9).map(tuple)),
    st.builds(StartsWith, st.just("id"), texts),
    st.builds(Contains, st.just("id"), texts),
    st.builds(IsNull, st.just("colour"), st.booleans()),
    st.builds(
        AnyOf, st.lists(st.builds(Between, st.just("version"), numbers, numbers), min_size=1, max_size=4).map(tuple)
    ),
    st.builds(AnyOf, st.lists(st.builds(Contains, st.just("colour"), texts), min_size=1, max_size=4).map(tuple)),
)


def _without_repeats(expression: Expression | None) -> Expression | None:
    """A list of values is filled up with its last one."""
    match expression:
        case Either(parts=parts):
            different = tuple(dict.fromkeys(parts))
            return different[0] if len(different) == 1 else Either(different)
        case Both(parts=parts):
            return Both(tuple(part for each in parts if (part := _without_repeats(each)) is not None))
    return expression


def _read(body: bytes) -> Asked:
    asked = decode(body)
    return Asked(asked.columns, asked.projection, _without_repeats(asked.filter))


def _meant(where: tuple[Condition, ...]) -> Asked:
    request = wire.build_query_data_request(
        schema=STORED.schema.insert(0, STORED.row_id),
        predicate=predicate(STORED.metadata.ibis_table, where),
        field_names=list(COLUMNS),
    )
    return _read(bytes(request.serialized))


@pytest.mark.property
@given(st.lists(conditions, max_size=2), st.lists(conditions, max_size=2))
def test_a_query_means_what_the_sdk_would_have_said(first: list[Condition], second: list[Condition]) -> None:
    for where in (tuple(first), tuple(second)):
        assert _read(STORED.forms.fill(COLUMNS, where).body) == _meant(where)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 40, 65, 600, 1_100])
def test_lists_of_any_length_hold_all_values(count: int) -> None:
    where = (IsIn("id", tuple(f"é{number}" for number in range(count))),)
    assert _read(STORED.forms.fill(COLUMNS, where).body) == _meant(where)


def test_wide_texts_get_wide_blanks_and_narrow_ones_fit_in_them() -> None:
    for text in ("x", "x" * 41, "", "x" * 500, "\0", "é" * 40):
        where = (eq("id", text), eq("colour", text[:3]))
        assert _read(STORED.forms.fill(COLUMNS, where).body) == _meant(where)


def test_old_forms_make_room() -> None:
    forms = Forms(STORED.metadata.ibis_table, STORED.schema)
    names = ("id", "version", "colour", "size", "ready")
    shapes = [columns for length in range(1, 5) for columns in itertools.permutations(names, length)]
    for columns in (*shapes, shapes[0]):
        filled = forms.fill(columns, (eq("id", "a"),))
        assert tuple(filled.schema.names) == columns
