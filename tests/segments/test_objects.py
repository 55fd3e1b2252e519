"""Media objects: fixed by their first registration, shared afterwards (SGP-12 to SGP-30, OBJ, INI)."""

from urllib.parse import quote

import pytest

from tests.conformance import rule
from tests.segments.rig import FLOW, OTHER_FLOW, Rig, object_id, segment

SEGMENTS = f"/flows/{FLOW}/segments"
OTHER = f"/flows/{OTHER_FLOW}/segments"
A, B, C, INIT = object_id(1), object_id(2), object_id(3), object_id(9)
URL = {"url": 'https://elsewhere.example/a b?x=1&y="2"', "label": "elsewhere"}


async def refused(rig: Rig, item: dict[str, object], *, path: str = SEGMENTS) -> str:
    """The field that a refusal names."""
    answer = await rig.client.post(path, item, expect=400)
    return str(answer.json()["field"]).removeprefix("$.")


@rule("OBJ-1", "OBJ-2", "OBJ-3", "OBJ-5", "SGP-18", "SEG-21", "INT-1", "STO-18")
async def test_an_object_shows_who_uses_it(rig: Rig) -> None:
    rig.catalog.put(OTHER_FLOW)
    await rig.allocate(A)
    await rig.client.get(f"/objects/{A}", expect=404)
    await rig.client.post(SEGMENTS, segment(A, "[10:0_12:0)", ts_offset="10:0", key_frame_count=2))
    await rig.client.post(OTHER, segment(A, "[0:0_1:0)"))
    shown = (await rig.client.get(f"/objects/{A}")).json()
    (url,) = shown.pop("get_urls")
    assert shown == {
        "id": A,
        "referenced_by_flows": [FLOW, OTHER_FLOW],
        "first_referenced_by_flow": FLOW,
        "timerange": "[0:0_2:0)",
        "key_frame_count": 2,
    }
    assert url["presigned"] is True
    head = await rig.client.head(f"/objects/{A}")
    assert head.headers["x-paging-limit"] == "1000"
    await rig.client.get("/objects/unknown", expect=404)


@rule("SGP-12", "SGP-13")
async def test_a_fresh_object_belongs_to_the_flow_it_was_allocated_for(rig: Rig) -> None:
    rig.catalog.put(OTHER_FLOW)
    await rig.allocate(A)
    assert await refused(rig, segment(A, "[0:0_1:0)"), path=OTHER) == "object_id"
    await rig.client.post(SEGMENTS, segment(A, "[0:0_1:0)"))
    await rig.client.post(OTHER, segment(A, "[0:0_1:0)"))


@rule("SGP-19", "SGP-20", "SGP-30", "SEG-25")
@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"key_frame_count": 3}, "key_frame_count"),
        ({"object_timerange": "[0:0_9:0)"}, "object_timerange"),
        ({"timerange": "[20:0_31:0)", "ts_offset": "20:0"}, "timerange"),
        ({"ts_offset": "-5:0"}, "timerange"),
        ({"get_urls": [URL]}, "get_urls"),
        ({"init_object_id": INIT}, "init_object_id"),
    ],
)
async def test_reuse_changes_nothing_of_the_object(rig: Rig, more: dict[str, object], field: str) -> None:
    await rig.allocate(A, INIT)
    await rig.client.post(SEGMENTS, segment(A, "[0:0_10:0)", key_frame_count=2))
    rig.catalog.put(OTHER_FLOW)
    assert await refused(rig, segment(A, "[5:0_6:0)") | more, path=OTHER) == field
    await rig.client.post(OTHER, segment(A, "[5:0_6:0)", object_timerange="[0:0_10:0)", key_frame_count=2))
    (shown,) = (await rig.client.get(f"{OTHER}?accept_get_urls=")).json()
    assert shown == segment(A, "[5:0_6:0)", key_frame_count=2)


@rule("SGP-21", "SEG-20", "SEG-21")
async def test_a_segment_may_use_a_part_of_its_object(rig: Rig) -> None:
    await rig.allocate(A)
    await rig.client.post(SEGMENTS, segment(A, "[5:0_6:0)", object_timerange="[0:0_60:0)"))
    await rig.client.post(SEGMENTS, segment(A, "[100:0_160:0)", ts_offset="100:0"))
    query = f"{SEGMENTS}?accept_get_urls=&include_object_timerange="
    assert [item["object_timerange"] for item in (await rig.client.get(f"{query}true")).json()] == ["[0:0_60:0)"] * 2
    assert [item.get("object_timerange") for item in (await rig.client.get(f"{query}false")).json()] == [None] * 2


@rule("SGP-22")
async def test_the_same_object_twice_in_one_request(rig: Rig) -> None:
    await rig.allocate(A)
    items = [segment(A, "[0:0_4:0)"), segment(A, "[4:0_5:0)", ts_offset="4:0"), segment(A, "[5:0_6:0)")]
    answer = await rig.client.post(SEGMENTS, items, expect=200)
    assert [failed["timerange"] for failed in answer.json()["failed_segments"]] == ["[5:0_6:0)"]
    assert await rig.timeranges(f"object_id={A}") == ["[0:0_4:0)", "[4:0_5:0)"]


@rule("SGP-14", "URL-5")
async def test_an_object_held_elsewhere_has_the_urls_it_came_with(rig: Rig) -> None:
    await rig.client.post(SEGMENTS, segment("ext/1", "[0:0_1:0)", get_urls=[URL]))
    (item,) = (await rig.client.get(SEGMENTS)).json()
    assert item["get_urls"] == [URL]
    (item,) = (await rig.client.get(f"{SEGMENTS}?verbose_storage=true")).json()
    assert item["get_urls"] == [URL | {"controlled": False}]
    shown = (await rig.client.get(f"/objects/{quote('ext/1', safe='')}")).json()
    assert (shown["id"], shown["get_urls"]) == ("ext/1", [URL])
    await rig.client.post(SEGMENTS, segment("ext/1", "[1:0_2:0)", ts_offset="1:0", get_urls=[URL]))
    await rig.client.delete(SEGMENTS)
    await rig.client.get("/objects/ext%2F1", expect=404)


@rule("SGP-17")
async def test_an_allocated_object_may_have_urls_elsewhere_too(rig: Rig) -> None:
    await rig.allocate(A)
    await rig.client.post(SEGMENTS, segment(A, "[0:0_1:0)", get_urls=[URL]))
    (item,) = (await rig.client.get(SEGMENTS)).json()
    assert [url["label"] for url in item["get_urls"]] == ["local", "elsewhere"]


@rule("SGP-16")
@pytest.mark.parametrize("urls", [[URL | {"label": "local"}], [URL, URL | {"url": "u"}]])
async def test_labels_tell_urls_apart(rig: Rig, urls: list[object]) -> None:
    assert await refused(rig, segment("ext", "[0:0_1:0)", get_urls=urls)) == "get_urls"


async def test_urls_fit_into_a_row(rig: Rig) -> None:
    urls = [{"url": "u" * 8192, "label": str(number)} for number in range(9)]
    assert await refused(rig, segment("ext", "[0:0_1:0)", get_urls=urls)) == "get_urls"


@rule("STO-5", "GEN-6", "OBJ-1")
@pytest.mark.parametrize("name", ["a/b", "../../etc/passwd", "a b%", "ü/instances", "?x=1#y", "a\\b", "\x00"])
async def test_ids_may_be_any_text(rig: Rig, name: str) -> None:
    await rig.allocate(name)
    await rig.client.post(SEGMENTS, segment(name, "[0:0_1:0)"))
    (item,) = (await rig.client.get(f"{SEGMENTS}?object_id={quote(name, safe='')}")).json()
    assert item["object_id"] == name
    assert (await rig.client.get(f"/objects/{quote(name, safe='')}")).json()["id"] == name
    await rig.client.delete(f"{SEGMENTS}?object_id={quote(name, safe='')}")
    await rig.client.get(f"/objects/{quote(name, safe='')}", expect=404)


@rule("SEG-23", "OBJ-4", "OBJ-6", "OBJ-8", "INI-4", "INI-5", "INI-7", "INI-8", "INI-9", "TMO-1")
async def test_init_objects_are_referred_to_through_media_objects(rig: Rig) -> None:
    rig.catalog.put(FLOW, init_segments=True)
    await rig.allocate(A, B, INIT)
    items = [segment(A, "[0:0_1:0)", init_object_id=INIT), segment(B, "[1:0_2:0)", init_object_id=INIT)]
    await rig.client.post(SEGMENTS, items)
    await rig.client.post(SEGMENTS, segment(A, "[2:0_3:0)", ts_offset="2:0"))
    shown = (await rig.client.get(SEGMENTS)).json()
    assert [item["init_object"]["object_id"] for item in shown] == [INIT] * 3
    assert shown[0]["init_object"]["get_urls"][0]["label"] == "local"
    assert shown[0]["init_object"]["get_urls"] != shown[0]["get_urls"]
    (bare, *_) = (await rig.client.get(f"{SEGMENTS}?accept_get_urls=")).json()
    assert bare["init_object"] == {"object_id": INIT}
    init = (await rig.client.get(f"/objects/{INIT}")).json()
    assert (init["referenced_by_flows"], "timerange" in init) == ([FLOW], False)
    media = (await rig.client.get(f"/objects/{A}")).json()
    assert media["init_object"]["id"] == INIT
    assert media["init_object"]["get_urls"] == init["get_urls"]
    await rig.client.delete(f"{SEGMENTS}?timerange=[0:0_2:0)")
    await rig.client.get(f"/objects/{INIT}")
    await rig.client.get(f"/objects/{B}", expect=404)
    await rig.client.delete(SEGMENTS)
    await rig.client.get(f"/objects/{INIT}", expect=404)


@rule("SGP-23", "INI-2", "INI-6", "INI-14")
async def test_roles_of_objects_do_not_mix(rig: Rig) -> None:
    rig.catalog.put(FLOW, init_segments=True)
    await rig.allocate(A, B, C, INIT)
    await rig.client.post(SEGMENTS, segment(A, "[0:0_1:0)", init_object_id=INIT))
    assert await refused(rig, segment(B, "[1:0_2:0)")) == "init_object_id"
    assert await refused(rig, segment(B, "[1:0_2:0)", init_object_id=A)) == "init_object_id"
    assert await refused(rig, segment(B, "[1:0_2:0)", init_object_id=B)) == "init_object_id"
    assert await refused(rig, segment(B, "[1:0_2:0)", init_object_id="nowhere")) == "init_object_id"
    assert await refused(rig, segment(INIT, "[1:0_2:0)", init_object_id=C)) == "object_id"
    await rig.client.post(SEGMENTS, segment(A, "[1:0_2:0)", ts_offset="1:0", init_object_id=INIT))
    rig.catalog.put(OTHER_FLOW, init_segments=False)
    assert await refused(rig, segment(A, "[0:0_1:0)"), path=OTHER) == "init_object_id"
