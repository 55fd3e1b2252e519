"""The list of webhooks: order, pages, tags (WHK-2, WHK-34, SORT-2, SORT-7, SORT-11, TAG-2 to TAG-10, PAG)."""

from typing import Any

import pytest

from tests.conformance import rule
from tests.spec import Spec
from tests.webhooks.rig import Rig

HOOKS = "/service/webhooks"
TAGGED: dict[str, dict[str, Any]] = {
    "/a": {"colour": "red", "site": ["here", "there"]},
    "/b": {"colour": "red,green", "a.b": "dotted"},
    "/c": {"colour": ["green", "blue"], "exists.x": "odd"},
    "/d": {"colour": "", "no|ne=": "x=|y"},
    "/e": {},
}


@pytest.fixture
async def tagged(rig: Rig) -> Rig:
    """One webhook for each path of TAGGED, registered out of order."""
    for path in ("/d", "/a", "/e", "/c", "/b"):
        await rig.register(rig.receiver.at(path).url, tags=TAGGED[path])
    return rig


async def paths(rig: Rig, query: str) -> str:
    """The last letters of the urls that `query` finds, in order; HEAD says the same in its headers."""
    target = f"{HOOKS}?{query}"
    answer = await rig.client.get(target)
    assert (await rig.client.head(target)).headers.items() >= {
        name: value for name, value in answer.headers.items() if name.startswith(("x-paging-", "link"))
    }.items()
    assert answer.headers["x-paging-count"] == str(len(answer.json()))
    return "".join(shown["url"][-1] for shown in answer.json())


@rule(
    "WHK-2",
    "WHK-34",
    "TAG-2",
    "TAG-3",
    "TAG-4",
    "TAG-5",
    "TAG-6",
    "TAG-7",
    "SORT-2",
    "SORT-6",
    "SORT-7",
    "HEAD-2",
    "HEAD-3",
    "HEAD-4",
    "PAG-11",
)
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "abcde"),
        ("reverse_order=true", "edcba"),
        ("tag.colour=red", "a"),
        ("tag.colour=red,green", "ac"),
        ("tag.colour=red%2Cgreen", "b"),
        ("tag.colour=red%2Cgreen,blue", "bc"),
        ("tag.colour=re", ""),
        ("tag.colour=", "d"),
        ("tag.colour=purple", ""),
        ("tag.site=there", "a"),
        ("tag.site=there&tag.colour=red", "a"),
        ("tag.site=there&tag.colour=green", ""),
        ("tag.a%2Eb=dotted", "b"),
        ("tag.a.b=dotted", "b"),
        ("tag.exists.x=odd", "c"),
        ("tag.no%7Cne%3D=x%3D%7Cy", "d"),
        ("tag_exists.colour=true", "abcd"),
        ("tag_exists.colour=false", "e"),
        ("tag_exists.colour=false&reverse_order=true", "e"),
        ("tag_exists.colour=true&tag_exists.site=false", "bcd"),
        ("tag_exists.exists.x=true", "c"),
        ("tag_exists.a%2Eb=false", "acde"),
        ("flow_tag.colour=red&unknown=1", "abcde"),
    ],
)
async def test_filters(tagged: Rig, query: str, found: str) -> None:
    assert await paths(tagged, query) == found


@rule("TAG-10", "PAG-5", "PAG-18")
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("tag.colour=red,,green", "tag.colour"),
        ("tag.colour=,red", "tag.colour"),
        ("tag_exists.colour=maybe", "tag_exists.colour"),
        ("reverse_order=yes", "reverse_order"),
        ("limit=0", "limit"),
        ("limit=ten", "limit"),
        ("page=nonsense", "page"),
    ],
)
async def test_a_bad_query_is_refused_by_its_name(rig: Rig, query: str, field: str) -> None:
    assert (await rig.client.get(f"{HOOKS}?{query}", expect=400)).json()["field"] == field
    await rig.client.head(f"{HOOKS}?{query}", expect=400)


@rule("WHK-2")
async def test_a_list_as_the_specification_has_it(rig: Rig, spec: Spec) -> None:
    [example] = spec.example("webhook-get-200-list")
    await rig.register(example["url"], api_key_name=example["api_key_name"], events=example["events"])
    shown = (await rig.client.get(HOOKS)).json()
    schema = spec.document["paths"][HOOKS]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema["type"] == "array"
    for webhook in shown:
        spec.schema("webhook-get").validate(webhook)
        assert webhook.keys() == example.keys() | {"tags"}


@rule("PAG-1", "PAG-4", "PAG-6", "PAG-7", "PAG-8", "PAG-10", "PAG-12", "PAG-14", "PAG-17", "SORT-11")
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 7, 8, 300])
async def test_pages_show_each_webhook_once(rig: Rig, *, limit: int, reverse: bool) -> None:
    for number in range(4):
        # Two of each url: ties are told apart by their ids.
        for _ in range(2):
            await rig.register(rig.receiver.at(f"/{number}").url, tags={"odd": str(number % 2)})
    everything = (await rig.client.get(f"{HOOKS}?limit=300&reverse_order={str(reverse).lower()}")).json()
    keys = [(shown["url"], shown["id"]) for shown in everything]
    assert keys == sorted(keys, reverse=reverse)
    for query, expected in (("", everything), ("&tag.odd=1", [s for s in everything if s["tags"]["odd"] == "1"])):
        found = await walk(rig, f"{HOOKS}?limit={limit}&reverse_order={str(reverse).lower()}{query}", limit=limit)
        assert found == expected


async def walk(rig: Rig, path: str, *, limit: int) -> list[Any]:
    """All pages from `path` on."""
    found: list[Any] = []
    following: str | None = path
    while following is not None:
        answer = await rig.client.get(following)
        assert answer.headers["x-paging-limit"] == str(limit)
        assert answer.headers["x-paging-reverse-order"] == str("reverse_order=true" in path).lower()
        found += answer.json()
        assert ("link" in answer.headers) == ("x-paging-nextkey" in answer.headers)
        following = answer.headers["link"][1:].partition(">")[0] if "link" in answer.headers else None
    return found


@rule("PAG-18")
async def test_a_page_of_another_query_is_refused(tagged: Rig) -> None:
    key = (await tagged.client.get(f"{HOOKS}?limit=1")).headers["x-paging-nextkey"]
    assert len((await tagged.client.get(f"{HOOKS}?page={key}&limit=2")).json()) == 2
    await tagged.client.get(f"{HOOKS}?page={key}&reverse_order=true", expect=400)


@rule("PAG-3", "PAG-4")
async def test_limits(rig: Rig) -> None:
    for _ in range(31):
        await rig.register(rig.receiver.at().url)
    answer = await rig.client.get(HOOKS)
    assert (answer.headers["x-paging-limit"], answer.headers["x-paging-count"]) == ("30", "30")
    answer = await rig.client.get(f"{HOOKS}?limit=100000")
    assert (answer.headers["x-paging-limit"], answer.headers["x-paging-count"]) == ("1000", "31")
    assert "link" not in answer.headers


async def test_a_long_url_can_be_where_a_page_begins(rig: Rig) -> None:
    base = rig.receiver.at().url + "?"
    for letter in "abc":
        await rig.register(base + letter * (2048 - len(base)))
    found = await walk(rig, f"{HOOKS}?limit=1&reverse_order=false", limit=1)
    assert [shown["url"][-1] for shown in found] == ["a", "b", "c"]
