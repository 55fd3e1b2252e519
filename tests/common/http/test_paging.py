from collections.abc import Callable

import pytest

from tams_common.errors import InvalidInput
from tams_common.http.message import Context, Request
from tams_common.http.paging import Paging
from tams_common.http.query import Params
from tams_common.http.tags import tag_query
from tams_common.tags import TagQuery
from tams_common.timerange import EMPTY
from tests.conformance import rule

BASE = "https://media.example.com/tams/v8.2"


def paging(query: str, path: str = "/flows") -> Paging:
    return paging_of(Params.parse(query), path)


def paging_of(params: Params, path: str = "/flows") -> Paging:
    request = Request("GET", path)
    request.context = Context(base_url=BASE)
    return Paging(request, params, default=30, maximum=300)


@rule("PAG-3", "PAG-4")
@pytest.mark.parametrize(("query", "limit"), [("", 30), ("limit=1", 1), ("limit=300", 300), ("limit=301", 300)])
def test_limits_are_clamped(query: str, limit: int) -> None:
    page = paging(query)
    assert page.limit == limit
    assert page.headers(None)["x-paging-limit"] == str(limit)


@rule("PAG-5")
@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=ten", "limit=", "limit=1.5"])
def test_bad_limits_are_refused(query: str) -> None:
    with pytest.raises(InvalidInput, match="limit"):
        paging(query)


@rule("PAG-6", "PAG-7")
def test_last_page_has_no_link() -> None:
    assert paging("").headers(None, count=0, reverse=False, timerange=EMPTY) == {
        "x-paging-limit": "30",
        "x-paging-count": "0",
        "x-paging-reverse-order": "false",
        "x-paging-timerange": "()",
    }


@rule("PAG-6", "PAG-8")
def test_link_is_absolute_and_keeps_the_other_parameters() -> None:
    page = paging("tag.a%2Cb=x;y&timerange=[0:0_1:0)&page=old&access_token=t&limit=2", "/objects/a%2Fb;c")
    headers = page.headers((1, "x"), reverse=True)
    key = headers["x-paging-nextkey"]
    assert headers["link"] == (
        f"<{BASE}/objects/a%2Fb%3Bc?tag.a%2Cb=x%3By&timerange=%5B0:0_1:0)&access_token=t&limit=2&page={key}>"
        '; rel="next"'
    )
    assert headers["x-paging-reverse-order"] == "true"


@rule("PAG-8", "TAG-6")
@pytest.mark.parametrize(
    "query",
    [
        "tag.x=a,b",
        "tag.x=a%2Cb,c%252Cd&tag.y=e%2Cf&tag_exists.z=true",
        "flow_tag.x=a+b,c%2Bd&storage_backend_tag.a%2Cb=c,%C3%A9&label=g,h%2Ci",
        "tag.x=a%2Cb&tag.x,y=c",
    ],
)
@pytest.mark.parametrize("read", [str, lambda link: link.replace("%2C", ",")])
def test_lists_of_tags_mean_the_same_behind_a_link_which_has_no_commas(query: str, read: Callable[[str], str]) -> None:
    def asked(params: Params) -> list[TagQuery]:
        return [tag_query(params, prefix) for prefix in ("tag", "flow_tag", "storage_backend_tag")]

    params = Params.parse(query)
    expected = asked(params)
    for number in range(3):
        link = paging_of(params).headers((number, "x"))["link"]
        assert "," not in link
        params = Params.parse(read(link[1 : link.index(">")].partition("?")[2]))
        assert asked(params) == expected
        assert paging_of(params).position(tuple[int, str]) == (number, "x")


@rule("PAG-8")
def test_key_leads_on_with_the_same_query_in_any_writing() -> None:
    key = paging("label=a%20b&format=x&limit=5").headers((7, "x"))["x-paging-nextkey"]
    again = paging(f"page={key}&format=x&label=a+b&limit=9&access_token=t")
    assert again.position(tuple[int, str]) == (7, "x")


@rule("PAG-9")
def test_first_page_has_no_position() -> None:
    assert paging("").position(tuple[int, str]) is None


@rule("PAG-18")
@pytest.mark.parametrize("key", ["", "x", "AAAAAA", "é", "%00", "AAAAAJMB", "!!!!", "a" * 100_000])
def test_foreign_keys_are_refused(key: str) -> None:
    with pytest.raises(InvalidInput, match="page"):
        paging(f"page={key}").position(tuple[int, str])


@rule("PAG-18")
def test_key_of_another_query_path_or_type_is_refused() -> None:
    key = paging("label=a").headers((7, "x"))["x-paging-nextkey"]
    with pytest.raises(InvalidInput, match="page"):
        paging(f"label=b&page={key}").position(tuple[int, str])
    with pytest.raises(InvalidInput, match="page"):
        paging(f"label=a&page={key}", "/sources").position(tuple[int, str])
    with pytest.raises(InvalidInput, match="page"):
        paging(f"label=a&page={key}").position(tuple[int, int])
