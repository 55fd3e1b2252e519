"""Tags in memory and in a text column: both ways of filtering mean the same."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tams_common.store import Query, Reader
from tams_common.store.evaluation import holds
from tams_common.tags import TagQuery, tag_tokens
from tests.common.store.tables import ITEMS, Item
from tests.conformance import rule
from tests.stores import make_store

TAGS = {"a": "x", "b": ["1", "2", "1"], "c": "", "d|e=f\\": ["g|=h", "\0"], "none": [], "": "empty"}

CASES: list[tuple[dict[str, set[str]], dict[str, bool], bool]] = [
    ({"a": {"x"}}, {}, True),
    ({"a": {"y", "x"}}, {}, True),
    ({"a": {"y"}}, {}, False),
    ({"a": {"x|"}}, {}, False),
    ({"b": {"2", "3"}}, {}, True),
    ({"b": {"1|2"}}, {}, False),
    ({"b": {""}}, {}, False),
    ({"c": {""}}, {}, True),
    ({"z": {""}}, {}, False),
    ({"": {"empty"}}, {}, True),
    ({"a": {"x"}, "b": {"9"}}, {}, False),
    ({"d|e=f\\": {"g|=h"}}, {}, True),
    ({"d|e=f\\": {"\0"}}, {}, True),
    ({"d|e": {"f\\=g|=h"}}, {}, False),
    ({"none": {""}}, {"none": True}, False),
    ({}, {"none": True}, True),
    ({}, {"a": True, "z": False}, True),
    ({}, {"z": True}, False),
    ({}, {"b": False}, False),
    ({}, {"a=x": True}, False),
    ({}, {"": True}, True),
]

TEXTS = st.text("ab|=\\pe0\0,é", max_size=3)


def query_of(values: dict[str, set[str]], presence: dict[str, bool]) -> TagQuery:
    return TagQuery({name: frozenset(wanted) for name, wanted in values.items()}, presence)


@rule("TAG-2", "TAG-3", "TAG-4")
@pytest.mark.parametrize(("values", "presence", "matches"), CASES)
def test_tags_meet_every_condition(values: dict[str, set[str]], presence: dict[str, bool], *, matches: bool) -> None:
    assert query_of(values, presence).matches(TAGS) is matches


def _scan(reader: Reader, query: Query) -> list[Item]:
    return reader.scan(ITEMS, query).rows


def test_tags_as_tokens() -> None:
    assert tag_tokens({}) == ""
    assert tag_tokens({"a": "x", "b": ["1", "2", "1"], "c": []}) == "|a|a=x|b|b=1|b=2|c|"


async def test_a_database_finds_the_same() -> None:
    store = make_store(None, "tags", tables=(ITEMS,))
    await store.open()
    await store.migrate()
    await store.run(lambda tx: tx.insert(ITEMS, [Item("tagged", colour=tag_tokens(TAGS)), Item("bare", colour="")]))
    for values, presence, matches in CASES:
        where = query_of(values, presence).conditions("colour")
        found = {row.id for row in await store.read(partial(_scan, query=Query(where)))}
        assert ("tagged" in found) is matches, (values, presence)
        assert ("bare" in found) is query_of(values, presence).matches({})
    await store.close()


@pytest.mark.property
@given(
    st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS, max_size=3), max_size=3),
    st.dictionaries(TEXTS, st.sets(TEXTS, min_size=1, max_size=3), max_size=2),
    st.dictionaries(TEXTS, st.booleans(), max_size=2),
)
def test_conditions_mean_what_the_query_means(
    tags: dict[str, str | list[str]], values: dict[str, set[str]], presence: dict[str, bool]
) -> None:
    query, cell = query_of(values, presence), tag_tokens(tags)
    assert all(holds(cell, condition) for condition in query.conditions("tags")) is query.matches(tags)
