import pytest

from tams_common.errors import InvalidInput
from tams_common.http.query import Params
from tams_common.http.tags import MOST, tag_query
from tams_common.tags import TagQuery
from tests.conformance import rule


def read(raw: str, prefix: str = "tag") -> TagQuery:
    return tag_query(Params.parse(raw), prefix)


@rule("TAG-5", "TAG-6")
@pytest.mark.parametrize(
    ("raw", "name", "values"),
    [
        ("tag.a=x", "a", {"x"}),
        ("tag.a=x,y", "a", {"x", "y"}),
        ("tag.a=x%2Cy,z", "a", {"x,y", "z"}),
        ("tag.a=%2C", "a", {","}),
        ("tag.a=x+y,%C3%A9%2B", "a", {"x y", "é+"}),
        ("tag.a=", "a", {""}),
        ("tag.a", "a", {""}),
        ("tag.a.b=x", "a.b", {"x"}),
        ("tag.a%2Eb=x", "a.b", {"x"}),
        ("tag%2Ea%3D%26%2F=x=y", "a=&/", {"x=y"}),
        ("tag.=x", "", {"x"}),
        ("tag.exists.a=x", "exists.a", {"x"}),
        ("tag.a=x,x", "a", {"x"}),
    ],
)
def test_values_are_split_before_they_are_decoded(raw: str, name: str, values: set[str]) -> None:
    assert read(raw) == TagQuery({name: frozenset(values)})


def test_presence() -> None:
    assert read("tag_exists.a=true&tag_exists.b%2Ec=false") == TagQuery({}, {"a": True, "b.c": False})


def test_only_the_prefix_counts() -> None:
    query = "tag.a=1&flow_tag.b=2&flow_tag_exists.c=true&tags=x&tags=y&tag=3"
    assert read(query) == TagQuery({"a": frozenset({"1"})})
    assert read(query, "flow_tag") == TagQuery({"b": frozenset({"2"})}, {"c": True})
    assert read("limit=1") == TagQuery()


@rule("TAG-10")
@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ("tag.x=a,,b", "tag.x"),
        ("tag.x=,a", "tag.x"),
        ("tag.x=a,", "tag.x"),
        ("tag.x=,", "tag.x"),
        ("tag.x=a&tag.x=b", "tag.x"),
        ("tag.x=a&tag%2Ex=b", "tag.x"),
        ("tag_exists.x=yes", "tag_exists.x"),
        ("tag_exists.x=", "tag_exists.x"),
        ("tag.x=" + ",".join(map(str, range(MOST + 1))), "tag.x"),
        ("&".join(f"tag.{n}=1" for n in range(MOST + 1)), "tag"),
    ],
)
def test_a_bad_filter_is_refused_by_its_name(raw: str, field: str) -> None:
    with pytest.raises(InvalidInput, match=field.replace(".", r"\.")) as caught:
        read(raw)
    assert caught.value.field == field
