"""The order of lists, and pages that keep it while rows come, go and change (SORT, PAG)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from tests.catalog.builders import flow_id, source_id, video
from tests.catalog.conftest import House
from tests.common.http_client import Answer
from tests.conformance import rule

LABELS = {1: "b", 2: None, 3: "a", 4: "b", 5: None, 6: "B", 7: "é", 8: ""}
BY_LABEL = [8, 6, 3, 1, 4, 7, 2, 5]
PATHS = pytest.mark.parametrize("path", ["/flows", "/sources"])


@pytest.fixture
async def labelled(house: House) -> House:
    """Flows made in the order of their numbers, each of a source of its own; two of them at once."""
    for number, label in LABELS.items():
        body = video(number, number) if label is None else video(number, number, label=label)
        await house.client.put(f"/flows/{flow_id(number)}", body, expect=201)
        if number != 6:
            house.clock.advance(seconds=1)
    return house


def _numbers(answer: Answer) -> list[int]:
    return [int(item["id"][-12:], 16) for item in answer.json()]


async def _pages(house: House, path: str, *, query: str) -> list[int]:
    """All pages of a list, along its links."""
    seen: list[int] = []
    url = f"{path}?{query}"
    while url:
        page = await house.client.get(url)
        seen += _numbers(page)
        url = page.headers.get("link", "").removeprefix("<").partition(">")[0]
    return seen


@rule("SORT-3", "SORT-4", "SORT-6", "SORT-7", "SORT-11", "PAG-12")
@PATHS
async def test_dates_come_newest_first(labelled: House, path: str) -> None:
    newest = [8, 7, 6, 5, 4, 3, 2, 1]
    assert await _pages(labelled, path, query="reverse_order=false") == newest
    for query in ("", "sort_by=created", "sort_by=created&limit=3"):
        assert await _pages(labelled, path, query=query) == newest
        assert await _pages(labelled, path, query=f"{query}&reverse_order=true") == newest[::-1]
    headers = (await labelled.client.get(f"{path}?reverse_order=true")).headers
    assert headers["x-paging-reverse-order"] == "true"
    assert (await labelled.client.get(path)).headers["x-paging-reverse-order"] == "false"


@rule("SORT-3", "SORT-4", "SORT-6")
@pytest.mark.parametrize(("path", "order"), [("/flows", "metadata_updated"), ("/sources", "updated")])
async def test_changes_come_newest_first(labelled: House, path: str, order: str) -> None:
    id_of = flow_id if path == "/flows" else source_id
    labelled.clock.advance(seconds=1)
    await labelled.client.put(f"{path}/{id_of(3)}/description", "new")
    assert await _pages(labelled, path, query=f"sort_by={order}&limit=3") == [3, 8, 7, 6, 5, 4, 2, 1]
    assert await _pages(labelled, path, query=f"sort_by={order}&reverse_order=true") == [1, 2, 4, 5, 6, 7, 8, 3]
    assert _numbers(await labelled.client.get(path))[0] == 8


@rule("SORT-3", "SORT-4", "SORT-6", "SORT-7", "SORT-8", "SORT-11", "PAG-10")
@PATHS
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_labels_come_in_the_order_of_code_points_and_none_last(labelled: House, path: str, limit: int) -> None:
    """Those without a label by id; in reverse they come first."""
    assert await _pages(labelled, path, query=f"sort_by=label&limit={limit}") == BY_LABEL
    assert await _pages(labelled, path, query=f"sort_by=label&reverse_order=true&limit={limit}") == BY_LABEL[::-1]


@rule("PAG-4", "PAG-6", "PAG-7", "PAG-8", "PAG-9", "PAG-11", "PAG-14")
@PATHS
async def test_a_page_says_what_follows(labelled: House, path: str) -> None:
    query = "limit=3&sort_by=label&tag_exists.none=false"
    page = await labelled.client.get(f"{path}?{query}")
    assert (page.headers["x-paging-limit"], page.headers["x-paging-count"]) == ("3", "3")
    key = page.headers["x-paging-nextkey"]
    assert page.headers["link"] == f'<http://tams.test{path}?{query}&page={key}>; rel="next"'
    second = await labelled.client.get(f"{path}?{query}&page={key}")
    assert _numbers(second) == BY_LABEL[3:6]
    last = await labelled.client.get(f"{path}?{query}&page={second.headers['x-paging-nextkey']}")
    assert last.headers["x-paging-count"] == "2"
    assert {"link", "x-paging-nextkey"}.isdisjoint(last.headers)


class TestWritesBetweenPages:
    """No row comes twice or is left out while its key is what it was (PAG-10)."""

    @rule("PAG-10", "PAG-19")
    @PATHS
    async def test_new_and_deleted_rows(self, labelled: House, path: str) -> None:
        first = await labelled.client.get(f"{path}?limit=3")
        assert _numbers(first) == [8, 7, 6]
        await labelled.client.put(f"/flows/{flow_id(9)}", video(9, 9), expect=201)
        await labelled.client.delete(f"/flows/{flow_id(6)}")
        await labelled.client.delete(f"/flows/{flow_id(4)}")
        assert await _pages(labelled, path, query=f"limit=3&page={first.headers['x-paging-nextkey']}") == [5, 3, 2, 1]

    @rule("PAG-10", "SORT-8")
    async def test_rows_whose_key_changes_are_where_it_puts_them(self, labelled: House) -> None:
        first = await labelled.client.get("/flows?limit=4&sort_by=label")
        assert _numbers(first) == BY_LABEL[:4]
        await labelled.client.put(f"/flows/{flow_id(3)}/label", "z")
        await labelled.client.put(f"/flows/{flow_id(5)}/label", "0")
        rest = await _pages(labelled, "/flows", query=f"limit=4&sort_by=label&page={first.headers['x-paging-nextkey']}")
        assert rest == [4, 3, 7, 2]

    @rule("PAG-10")
    async def test_all_pages_after_the_row_of_the_key_is_gone(self, labelled: House) -> None:
        first = await labelled.client.get("/flows?limit=2&sort_by=label")
        for number in BY_LABEL[:2]:
            await labelled.client.delete(f"/flows/{flow_id(number)}")
        rest = await _pages(labelled, "/flows", query=f"limit=2&sort_by=label&page={first.headers['x-paging-nextkey']}")
        assert rest == BY_LABEL[2:]


class TestKeys:
    """A key is refused where it was not made (PAG-18)."""

    @rule("PAG-18")
    @pytest.mark.parametrize(
        "query",
        ["sort_by=label", "reverse_order=true", "tag.a=b", "label=x", "sort_by=metadata_updated", "timerange=()"],
    )
    async def test_for_another_query(self, labelled: House, query: str) -> None:
        key = (await labelled.client.get("/flows?limit=2")).headers["x-paging-nextkey"]
        await labelled.client.get(f"/flows?limit=2&page={key}")
        await labelled.client.get(f"/flows?limit=5&page={key}&access_token=x")
        answer = await labelled.client.get(f"/flows?limit=2&{query}&page={key}", expect=400)
        assert answer.json()["field"] == "page"
        await labelled.client.get(f"/sources?limit=2&page={key}", expect=400)
        await labelled.client.head(f"/flows?limit=2&{query}&page={key}", expect=400)

    @rule("PAG-18")
    @PATHS
    async def test_of_no_list(self, labelled: House, path: str) -> None:
        key = (await labelled.client.get(f"{path}?limit=2&sort_by=label")).headers["x-paging-nextkey"]
        data = bytearray(urlsafe_b64decode(key + "=" * (-len(key) % 4)))
        for place in range(len(data)):
            forged = bytearray(data)
            forged[place] ^= 1
            text = urlsafe_b64encode(forged).decode().rstrip("=")
            await labelled.client.get(f"{path}?limit=2&sort_by=label&page={text}", expect=400)
        for text in ("", "x", "%00", key[:-1], key[1:], "A" * 4000):
            await labelled.client.get(f"{path}?limit=2&sort_by=label&page={text}", expect=400)
