"""Lists of flows and sources: what stands in them, and their pages (FLW-1, SRC-8, PAG)."""

import pytest

from tests.catalog.builders import audio, flow_id, image, multi, video
from tests.catalog.conftest import House
from tests.common.http_client import Answer
from tests.conformance import rule


@pytest.fixture
async def filled(house: House) -> House:
    """A video, an audio, an image and a multi flow, made in this order."""
    for body in (video(1, 1, label="a"), audio(2, 2, label="b"), image(3, 3), multi(5, 5, label="a")):
        await house.client.put(f"/flows/{body['id']}", body, expect=201)
        house.clock.advance(seconds=1)
    return house


def _ids(answer: Answer) -> list[str]:
    return [item["id"] for item in answer.json()]


@rule("FLW-1", "SRC-8")
async def test_an_item_of_a_list_is_what_get_shows(filled: House) -> None:
    for item in (await filled.client.get("/flows")).json():
        assert item == (await filled.client.get(f"/flows/{item['id']}")).json()
    for item in (await filled.client.get("/sources")).json():
        assert item == (await filled.client.get(f"/sources/{item['id']}")).json()


@rule("PAG-5", "PAG-18", "GEN-7", "GEN-8")
@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=ten",
        "limit=",
        "limit=1&limit=2",
        "page=foreign",
        "page=",
        "label=%ff",
        "label=%zz",
    ],
)
async def test_bad_options_are_refused(filled: House, query: str) -> None:
    answer = await filled.client.get(f"/flows?{query}", expect=400)
    assert query.split("=")[0] in answer.json()["detail"]
    await filled.client.head(f"/flows?{query}", expect=400)


@rule("PAG-5", "PAG-18", "SRC-11")
@pytest.mark.parametrize("query", ["limit=0", "limit=x", "page=x", "label=%ff"])
async def test_bad_options_of_sources_are_refused(filled: House, query: str) -> None:
    await filled.client.get(f"/sources?{query}", expect=400)


@rule("PAG-1", "PAG-4", "PAG-6", "PAG-7", "PAG-11", "PAG-12", "PAG-14", "HEAD-3")
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


@rule("PAG-10", "SORT-11")
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


@rule("PAG-2", "PAG-3", "PAG-4", "PAG-11")
async def test_an_oversized_limit_is_cut(house: House) -> None:
    """PAG-3; clients ask for 300 everywhere."""
    assert (await house.client.get("/flows?limit=300")).headers["x-paging-limit"] == "300"
    assert (await house.client.get("/flows?limit=100000")).headers["x-paging-limit"] == "1000"
    empty = await house.client.get("/flows")
    assert empty.json() == []
    assert empty.headers["x-paging-limit"] == "30"
    assert empty.headers["x-paging-count"] == "0"
