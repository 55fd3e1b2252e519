"""GET segments (SEG, PAG)."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tams_common.http.codec import encode_json
from tams_common.ids import new_id
from tams_common.store.sqlite import SqliteStore
from tams_common.timerange import TimeRange
from tests.common.store.sqlite_probe import count_near_steps
from tests.conformance import rule
from tests.segments.rig import FLOW, OTHER_FLOW, Rig, object_id, seconds, segment
from tests.stores import on_sqlite_files

SEGMENTS = f"/flows/{FLOW}/segments"
MIXED = ["[0:0_1:0)", "[1:0_2:0]", "[3:0]", "[4:0_9:0)", "[9:0]", "[9:1_10:0)"]


async def pages(rig: Rig, query: str, *, flow_id: str = FLOW) -> list[list[str]]:
    """Every page's timeranges, from link to link."""
    found: list[list[str]] = []
    path = f"/flows/{flow_id}/segments?accept_get_urls=&{query}"
    while path:
        answer = await rig.client.get(path)
        found.append([item["timerange"] for item in answer.json()])
        assert answer.headers["x-paging-count"] == str(len(found[-1]))
        link = answer.headers.get("link", "")
        assert ("x-paging-nextkey" in answer.headers) == bool(link)
        path = link.partition(">")[0].removeprefix("<")
    return found


@rule("SEG-2", "SEG-3")
async def test_unknown_flows_have_no_segments_and_bad_ids_are_not_found(rig: Rig) -> None:
    answer = await rig.client.get(f"/flows/{OTHER_FLOW}/segments")
    assert answer.json() == []
    assert answer.headers["x-paging-timerange"] == "()"
    for bad in ("x", FLOW.upper().replace("1", "A"), "10000000-0000-7000-8000-000000000001"):
        await rig.client.get(f"/flows/{bad}/segments", expect=404)


@rule("SEG-6", "TIME-21", "SEG-7", "TIME-16", "TIME-17")
@pytest.mark.parametrize(
    ("timerange", "expected"),
    [
        ("_", MIXED),
        ("()", []),
        ("", []),
        ("[1:0]", ["[1:0_2:0]"]),
        ("[2:0_3:0)", ["[1:0_2:0]"]),
        ("(2:0_3:0)", []),
        ("(2:0_3:0]", ["[3:0]"]),
        ("[5:0_6:0)", ["[4:0_9:0)"]),
        ("5:0", ["[4:0_9:0)"]),
        ("[8:999999999_9:0]", ["[4:0_9:0)", "[9:0]"]),
        ("(9:0_9:1)", []),
        ("[9:1_", ["[9:1_10:0)"]),
        ("_0:0)", []),
        ("_0:0]", ["[0:0_1:0)"]),
        ("[10:0_", []),
        ("[2:5_2:6)", []),
    ],
)
async def test_what_shares_time_with_the_range_is_shown_whole(
    rig: Rig, timerange: str, expected: Sequence[str]
) -> None:
    await rig.add(*MIXED)
    assert await rig.timeranges(f"timerange={timerange}") == list(expected)
    assert await rig.timeranges(f"timerange={timerange}&reverse_order=true") == list(expected)[::-1]


@rule("SEG-9", "SORT-9", "PAG-10")
@pytest.mark.parametrize("reverse", [False, True])
async def test_pages_hold_everything_once_and_in_order(rig: Rig, reverse: bool) -> None:
    await rig.add(*MIXED)
    query = "reverse_order=true&" if reverse else ""
    expected = MIXED[::-1] if reverse else MIXED
    for limit in (1, 2, 3, 6, 7):
        found = await pages(rig, f"{query}limit={limit}")
        assert [timerange for page in found for timerange in page] == expected
        assert all(len(page) == limit for page in found[:-1])
        assert found[-1]
    within = await pages(rig, f"{query}limit=1&timerange=[1:5_4:5)")
    assert [page[0] for page in within] == [x for x in expected if x in ("[1:0_2:0]", "[3:0]", "[4:0_9:0)")]


@rule("PAG-13", "SEG-10", "SEG-26", "PAG-3")
async def test_headers_tell_what_the_page_spans(rig: Rig) -> None:
    await rig.add(*MIXED)
    for query, spans, order in (("", "[0:0_2:0]", "false"), ("&reverse_order=true", "[9:0_10:0)", "true")):
        answer = await rig.client.get(f"{SEGMENTS}?limit=2&page_size=9&accept_get_urls={query}")
        assert answer.headers["x-paging-timerange"] == spans
        assert answer.headers["x-paging-reverse-order"] == order
        assert answer.headers["x-paging-limit"] == "2"
        head = await rig.client.head(f"{SEGMENTS}?limit=2&page_size=9&accept_get_urls={query}")
        assert {name: value for name, value in head.headers.items() if name != "content-length"} == answer.headers
    assert (await rig.client.get(f"{SEGMENTS}?limit=99999")).headers["x-paging-limit"] == "1000"
    assert (await rig.client.get(SEGMENTS)).headers["x-paging-limit"] == "30"


@rule("PAG-18")
async def test_a_page_key_belongs_to_its_query(rig: Rig) -> None:
    await rig.add(*MIXED)
    key = (await rig.client.get(f"{SEGMENTS}?limit=2")).headers["x-paging-nextkey"]
    assert len((await rig.client.get(f"{SEGMENTS}?limit=3&page={key}")).json()) == 3
    for query in (f"page={key}&reverse_order=true", "page=x", "page=", f"page={key}x"):
        await rig.client.get(f"{SEGMENTS}?{query}", expect=400)


@rule("SEG-8")
async def test_segments_of_one_object(rig: Rig) -> None:
    (name,) = await rig.add("[0:0_9:0)")
    await rig.add("[20:0_21:0)", "[30:0_31:0)")
    for at in (10, 22):
        await rig.client.post(SEGMENTS, segment(name, f"[{at}:0_{at + 1}:0)", ts_offset=f"{at}:0"))
    assert await rig.timeranges(f"object_id={name}") == ["[0:0_9:0)", "[10:0_11:0)", "[22:0_23:0)"]
    assert await rig.timeranges(f"object_id={name}&timerange=[5:0_20:5)") == ["[0:0_9:0)", "[10:0_11:0)"]
    assert await rig.timeranges(f"object_id={name}&timerange=[20:0_20:5)") == []
    assert await rig.timeranges("object_id=unknown") == []


@rule("SEG-6", "SEG-13", "GEN-7", "GEN-8", "HEAD-2")
@pytest.mark.parametrize(
    "query",
    [
        "timerange=x",
        "limit=0",
        "limit=x",
        "reverse_order=1",
        "accept_get_urls=,",
        "accept_storage_ids=x",
        "presigned=yes",
        "include_object_timerange=x",
        "verbose_storage=TRUE",
        "storage_backend_tag_exists.a=x",
        "timerange=_&timerange=_",
    ],
)
async def test_bad_queries_are_400_for_get_and_head(rig: Rig, query: str) -> None:
    answer = await rig.client.get(f"{SEGMENTS}?{query}", expect=400)
    assert answer.json()["field"] == query.partition("=")[0]
    await rig.client.head(f"{SEGMENTS}?{query}", expect=400)


@rule("SEG-5", "SEG-11", "SEG-12", "SEG-13", "SEG-14", "SEG-15", "SEG-16")
async def test_urls_are_signed_by_default_and_only_if_wanted(rig: Rig) -> None:
    await rig.add("[0:0_1:0)")
    storage = rig.objects.backend.id
    (item,) = (await rig.client.get(SEGMENTS)).json()
    (url,) = item["get_urls"]
    assert url.keys() == {"url", "presigned", "label"}
    assert url["url"].startswith("http://tams.test/media/")
    none = ["accept_get_urls=other", "presigned=false", f"accept_storage_ids={object_id(1)}", "storage_backend_tag.a=b"]
    for query in none:
        assert (await rig.client.get(f"{SEGMENTS}?{query}")).json()[0]["get_urls"] == []
    one = ["accept_get_urls=other,local", "presigned=true", f"accept_storage_ids={storage}", "accept_storage_ids="]
    for query in one:
        assert (await rig.client.get(f"{SEGMENTS}?{query}")).json()[0]["get_urls"] == [url]
    assert "get_urls" not in (await rig.client.get(f"{SEGMENTS}?accept_get_urls=")).json()[0]


@rule("SEG-17")
async def test_verbose_storage_adds_what_the_backend_says_of_itself(rig: Rig) -> None:
    await rig.add("[0:0_1:0)")
    (item,) = (await rig.client.get(f"{SEGMENTS}?verbose_storage=true")).json()
    backend = rig.objects.backend
    assert {name: value for name, value in item["get_urls"][0].items() if name != "url"} == {
        "presigned": True,
        "label": "local",
        "controlled": True,
        "storage_id": backend.id,
        "store_type": "http_object_store",
        "provider": backend.provider,
        "store_product": backend.store_product,
    }


async def test_equal_pages_are_equal_bytes(rig: Rig) -> None:
    await rig.add(*seconds(0, 1, 2))
    assert (await rig.client.get(SEGMENTS)).body == (await rig.client.get(SEGMENTS)).body


@on_sqlite_files
async def test_the_segments_of_one_object_are_found_without_those_between_them(rig: Rig) -> None:
    assert isinstance(rig.store, SqliteStore)
    costs, steps = [], count_near_steps(rig.store)
    for count, flow_id in ((1, FLOW), (3000, OTHER_FLOW)):
        rig.catalog.put(flow_id)
        names = await rig.add(*seconds(0, 4000), flow_id=flow_id)
        again = [segment(names[0], timerange, ts_offset="4001:0") for timerange in seconds(4001)]
        between = [
            segment(names[1], timerange, ts_offset=f"{at - 4000}:0")
            for at, timerange in enumerate(seconds(*range(5, 5 + count)), 5)
        ]
        await rig.client.post(f"/flows/{flow_id}/segments", [*again, *between])
        steps.clear()
        for query in ("", "reverse_order=true", "timerange=[3:0_5000:0)", "timerange=[3:0_5000:0)&reverse_order=true"):
            await rig.timeranges(f"object_id={names[0]}&{query}", flow_id)
        costs.append(len(steps))
    assert costs[1] <= costs[0] + 1


@rule("SEG-6", "PAG-10")
async def test_a_page_goes_on_within_the_timerange_when_what_reached_into_it_is_gone(rig: Rig) -> None:
    await rig.add("[5:0_15:0)", "[15:0_16:0)")
    first = await rig.client.get(f"{SEGMENTS}?timerange=[10:0_20:0)&limit=1")
    assert [item["timerange"] for item in first.json()] == ["[5:0_15:0)"]
    await rig.client.delete(f"{SEGMENTS}?timerange=[5:0_15:0)", expect=204)
    await rig.add("[6:0_7:0)", "[9:0_11:0)")
    second = await rig.client.get(first.headers["link"].partition(">")[0].removeprefix("<"))
    assert [item["timerange"] for item in second.json()] == ["[9:0_11:0)"]


@st.composite
def timeranges(draw: st.DrawFn) -> TimeRange:
    bounds = st.one_of(st.none(), st.integers(0, 40))
    return TimeRange(draw(bounds), draw(bounds), includes_start=draw(st.booleans()), includes_end=draw(st.booleans()))


@pytest.mark.property
@settings(
    max_examples=max(50, settings().max_examples // 40), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(0, 36), st.integers(0, 4)), max_size=12), st.lists(timeranges(), max_size=12))
async def test_pages_agree_with_one_that_looks_at_every_segment(
    rig: Rig, wanted: list[tuple[int, int]], queries: list[TimeRange]
) -> None:
    flow_id, name = new_id(), new_id()
    rig.catalog.put(flow_id)
    await rig.allocate(name, flow_id=flow_id)
    items = [
        segment(name, str(TimeRange(start, start + length, includes_end=length == 0)), object_timerange="_")
        for start, length in wanted
    ]
    await rig.client.send("POST", f"/flows/{flow_id}/segments", body=encode_json(items))
    stored = [TimeRange.parse(text) for text in await rig.timeranges(flow_id=flow_id)]
    for query in queries:
        expected = [str(timerange) for timerange in stored if timerange.overlaps(query)]
        forward = await pages(rig, f"timerange={query}&limit=2", flow_id=flow_id)
        backward = await pages(rig, f"timerange={query}&limit=2&reverse_order=true", flow_id=flow_id)
        assert [timerange for page in forward for timerange in page] == expected
        assert [timerange for page in backward for timerange in page] == expected[::-1]
