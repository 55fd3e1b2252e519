"""Lists of flows and sources: filters, order, pages (FLW-1, FLW-2, SRC-8, PAG)."""

import pytest

from tests.catalog.builders import audio, flow_id, image, multi, source_id, video
from tests.catalog.conftest import House
from tests.common.http_client import Answer


@pytest.fixture
async def filled(house: House) -> House:
    """A video, an audio, an image and a multi flow, made in this order."""
    for body in (video(1, 1, label="a"), audio(2, 2, label="b"), image(3, 3), multi(5, 5, label="a")):
        await house.client.put(f"/flows/{body['id']}", body, expect=201)
        house.clock.advance(seconds=1)
    return house


def _ids(answer: Answer) -> list[str]:
    return [item["id"] for item in answer.json()]


async def test_the_newest_comes_first(filled: House) -> None:
    """SORT-6, SORT-7."""
    newest = [flow_id(n) for n in (5, 3, 2, 1)]
    assert _ids(await filled.client.get("/flows")) == newest
    assert _ids(await filled.client.get("/flows?reverse_order=true")) == newest[::-1]
    assert _ids(await filled.client.get("/sources")) == [source_id(n) for n in (5, 3, 2, 1)]


async def test_an_item_of_a_list_is_what_get_shows(filled: House) -> None:
    for item in (await filled.client.get("/flows")).json():
        assert item == (await filled.client.get(f"/flows/{item['id']}")).json()
    for item in (await filled.client.get("/sources")).json():
        assert item == (await filled.client.get(f"/sources/{item['id']}")).json()


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (f"source_id={source_id(2)}", [2]),
        ("format=urn:x-nmos:format:video", [1]),
        ("format=urn:x-tam:format:image", [3]),
        ("codec=audio/aac", [2]),
        ("codec=audio%2Faac", [2]),
        ("label=a", [5, 1]),
        ("label=A", []),
        ("label=", []),
        ("label=a&format=urn:x-nmos:format:multi", [5]),
        ("frame_width=1920&frame_height=1080", [1]),
        ("frame_width=320", []),
        ("unknown=1", [5, 3, 2, 1]),
        ("access_token=abc", [5, 3, 2, 1]),
    ],
)
async def test_filters_of_flows(filled: House, query: str, numbers: list[int]) -> None:
    """FLW-2, FLW-6, T-67, GEN-9, GEN-14."""
    answer = await filled.client.get(f"/flows?{query}")
    assert _ids(answer) == [flow_id(n) for n in numbers]
    head = await filled.client.head(f"/flows?{query}")
    paging = {name: value for name, value in answer.headers.items() if name.startswith("x-paging")}
    assert paging.items() <= head.headers.items()  # HEAD-3


@pytest.mark.parametrize(
    ("query", "numbers"),
    [("label=a", [5, 1]), ("format=urn:x-nmos:format:audio", [2]), ("label=b&format=urn:x-tam:format:image", [])],
)
async def test_filters_of_sources(filled: House, query: str, numbers: list[int]) -> None:
    """SRC-8."""
    assert _ids(await filled.client.get(f"/sources?{query}")) == [source_id(n) for n in numbers]


@pytest.mark.parametrize(
    "query",
    [
        "source_id=1",
        "format=video",
        "codec=h264",
        "codec=video/h264%0A",
        "frame_width=wide",
        "frame_height=1.5",
        "limit=0",
        "limit=-1",
        "limit=ten",
        "reverse_order=True",
        "page=foreign",
        "label=%ff",
        "label=%zz",
        "timerange=late",
        "status=done",
        "tag.colour=red,,blue",
        "tag_exists.colour=yes",
        "profile_id=1",
        "collected_by_ids=,",
        "init_segments=1",
        "sort_by=timerange",
    ],
)
async def test_bad_options_are_refused(filled: House, query: str) -> None:
    """FLW-9, PAG-5, PAG-18, GEN-7."""
    answer = await filled.client.get(f"/flows?{query}", expect=400)
    assert query.split("=")[0] in answer.json()["detail"]
    await filled.client.head(f"/flows?{query}", expect=400)


@pytest.mark.parametrize("query", ["format=video", "limit=0", "reverse_order=1", "page=x", "tag.x=,y"])
async def test_bad_options_of_sources_are_refused(filled: House, query: str) -> None:
    """SRC-11."""
    await filled.client.get(f"/sources?{query}", expect=400)


@pytest.mark.parametrize("path", ["/flows", "/sources"])
@pytest.mark.parametrize("reverse", ["false", "true"])
async def test_pages_follow_each_other(filled: House, path: str, reverse: str) -> None:
    """PAG-4 to PAG-12."""
    whole = _ids(await filled.client.get(f"{path}?reverse_order={reverse}"))
    seen: list[str] = []
    url = f"{path}?limit=3&reverse_order={reverse}"
    while url:
        page = await filled.client.get(url)
        assert page.headers["x-paging-limit"] == "3"
        assert page.headers["x-paging-count"] == str(len(page.json()))
        assert page.headers["x-paging-reverse-order"] == reverse
        seen += _ids(page)
        link = page.headers.get("link", "")
        assert link.endswith('>; rel="next"') or not link
        assert ("x-paging-nextkey" in page.headers) == bool(link)
        url = link.removeprefix("<").partition(">")[0]
    assert seen == whole


async def test_flows_of_one_moment_are_each_listed_once(house: House) -> None:
    """PAG-10, SORT-11."""
    for number in range(7):
        await house.client.put(f"/flows/{flow_id(number)}", video(number, 1), expect=201)
    seen: list[str] = []
    url = "/flows?limit=2"
    while url:
        page = await house.client.get(url)
        seen += _ids(page)
        url = page.headers.get("link", "").removeprefix("<").partition(">")[0]
    assert sorted(seen) == [flow_id(number) for number in range(7)]


async def test_an_oversized_limit_is_cut(house: House) -> None:
    """PAG-3; clients ask for 300 everywhere."""
    assert (await house.client.get("/flows?limit=300")).headers["x-paging-limit"] == "300"
    assert (await house.client.get("/flows?limit=100000")).headers["x-paging-limit"] == "1000"
    empty = await house.client.get("/flows")
    assert empty.json() == []
    assert empty.headers["x-paging-limit"] == "30"
    assert empty.headers["x-paging-count"] == "0"
