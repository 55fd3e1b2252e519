"""The filters of `GET /flows` and `GET /sources` (FLW-2 to FLW-9, SRC-8 to SRC-11, TAG)."""

from urllib.parse import quote

import pytest

from tests.catalog.builders import audio, data, flow_id, image, multi, source_id, video
from tests.catalog.conftest import House
from tests.common.http_client import Answer
from tests.conformance import rule

INIT = {"frame_width": 1280, "frame_height": 720, "frame_rate": {"numerator": 25}, "init_segments": True}
NO_INIT = {"sample_rate": 48000, "channels": 2, "init_segments": False}
NAMES = ["a.b", "exists", "exists.x", "a/b", "a,b", "été", "a|b=c", "100%", "a b+c", ""]


@pytest.fixture
async def filled(house: House) -> House:
    """Flows 1 (video), 2 (audio), 3 (image), 4 (video with init segments), 6 (data) and 5, which collects 1 and 2."""
    for body in (
        video(1, 1, label="a", status="ingesting", tags={"colour": "red", "site": ["x", "y"]}),
        audio(2, 2, label="b", status="closed_complete", tags={"colour": "blue"}, essence_parameters=NO_INIT),
        image(3, 3, tags={"colour": "redder", "empty": ""}),
        video(4, 4, label="", essence_parameters=INIT, tags={"site": "y", "list": []}),
        data(6, 6),
        multi(5, 5, collects=(1, 2), label="a", tags={"colour": ["red", "blue"]}),
    ):
        await house.client.put(f"/flows/{body['id']}", body, expect=201)
        house.clock.advance(seconds=1)
    return house


def _flows(answer: Answer) -> set[str]:
    return {item["id"] for item in answer.json()}


def _ids(numbers: str) -> set[str]:
    return {flow_id(int(number)) for number in numbers}


@rule("FLW-2", "FLW-6", "FLW-7", "FLW-8", "GEN-9", "GEN-14", "PAG-17", "TAG-2", "TAG-3", "TAG-4", "SRC-9", "SRC-10")
@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("status=ingesting", "1"),
        ("status=closed_complete", "2"),
        ("status=awaiting_content", ""),
        ("init_segments=true", "4"),
        ("init_segments=false", "12356"),
        ("frame_width=1280", "4"),
        ("frame_width=320&frame_height=180", ""),
        ("frame_height=1080", "1"),
        ("frame_width=-1", ""),
        (f"frame_width={10**30}", ""),
        ("label=", "4"),
        ("label=a", "15"),
        (f"source_id={source_id(2)}", "2"),
        (f"profile_id={source_id(2)}", ""),
        ("codec=application/json", "6"),
        ("format=urn:x-nmos:format:data", "6"),
        (f"collected_by_ids={flow_id(5)}", "12"),
        (f"collected_by_ids={flow_id(5)},{flow_id(9)}", "12"),
        (f"collected_by_ids={flow_id(9)}", ""),
        ("collected_by_ids=", "3456"),
        (f"collected_by_ids={flow_id(5)}&codec=audio/aac", "2"),
        ("tag.colour=red", "15"),
        ("tag.colour=red,blue", "125"),
        ("tag.colour=red,none", "15"),
        ("tag.colour=re", ""),
        ("tag.colour=Red", ""),
        ("tag.site=y", "14"),
        ("tag.colour=red&tag.site=x", "1"),
        ("tag.colour=red&tag.site=none", ""),
        ("tag.empty=", "3"),
        ("tag.colour=", ""),
        ("tag_exists.colour=true", "1235"),
        ("tag_exists.colour=false", "46"),
        ("tag_exists.list=true", "4"),
        ("tag.list=", ""),
        ("tag_exists.site=true&tag_exists.colour=false", "4"),
        ("tag.colour=red&tag_exists.site=false", "5"),
        ("tag.colour=blue&format=urn:x-nmos:format:audio&status=closed_complete&label=b", "2"),
        ("tag_exists.none=false&init_segments=false&collected_by_ids=", "356"),
        ("unknown=1&access_token=x", "123456"),
    ],
)
async def test_filters_of_flows(filled: House, query: str, numbers: str) -> None:
    answer = await filled.client.get(f"/flows?{query}")
    assert _flows(answer) == _ids(numbers)
    assert answer.headers["x-paging-count"] == str(len(numbers))
    one = await filled.client.get(f"/flows?{query}&limit=1")
    assert len(one.json()) == min(1, len(numbers))
    assert ("link" in one.headers) == (len(numbers) > 1)
    for order in ("label", "metadata_updated"):
        assert _flows(await filled.client.get(f"/flows?{query}&sort_by={order}&reverse_order=true")) == _ids(numbers)


@rule("SRC-8", "SRC-9", "SRC-10", "TAG-7")
@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("label=a", "15"),
        ("format=urn:x-nmos:format:video", "14"),
        ("tag.colour=red", "15"),
        ("tag.site=x,y", "14"),
        ("tag_exists.site=false", "2356"),
        (f"collected_by_ids={source_id(5)}", "12"),
        (f"collected_by_ids={source_id(5)}&format=urn:x-nmos:format:audio", "2"),
        (f"collected_by_ids={flow_id(5)}", ""),
        ("collected_by_ids=", "3456"),
        ("collected_by_ids=&tag_exists.colour=true", "35"),
    ],
)
async def test_filters_of_sources(filled: House, query: str, numbers: str) -> None:
    answer = await filled.client.get(f"/sources?{query}")
    assert {item["id"] for item in answer.json()} == {source_id(int(number)) for number in numbers}
    head = await filled.client.head(f"/sources?{query}")
    assert head.headers["x-paging-count"] == answer.headers["x-paging-count"]


@rule("FLW-9", "GEN-7", "GEN-8", "TAG-10", "SORT-10", "HEAD-2")
@pytest.mark.parametrize(
    "query",
    [
        "source_id=1",
        f"source_id={flow_id(1).upper()}",
        "profile_id=",
        "profile_id=x",
        "format=video",
        "codec=h264",
        "codec=video/h264;x=y",
        "status=done",
        "status=",
        "frame_width=wide",
        "frame_height=1.5",
        "init_segments=True",
        "init_segments=",
        "timerange=late",
        "timerange=%5B0:0_x",
        "collected_by_ids=x",
        "collected_by_ids=,",
        f"collected_by_ids={flow_id(1)},",
        "sort_by=created_by",
        "sort_by=timerange",
        "sort_by=segments_updated",
        "sort_by=",
        "reverse_order=1",
        "tag.colour=a,,b",
        "tag.colour=,a",
        "tag.colour=a,",
        "tag_exists.colour=yes",
        "tag_exists.colour=",
        "tag.%ff=x",
    ],
)
async def test_bad_options_of_flows(filled: House, query: str) -> None:
    await filled.client.get(f"/flows?{query}", expect=400)
    await filled.client.head(f"/flows?{query}", expect=400)


@rule("SRC-11", "SORT-3", "SORT-10", "GEN-8")
@pytest.mark.parametrize(
    "query",
    ["format=video", "collected_by_ids=x", "sort_by=metadata_updated", "sort_by=x", "tag.a=b,,c", "tag_exists.a=1"],
)
async def test_bad_options_of_sources(filled: House, query: str) -> None:
    await filled.client.get(f"/sources?{query}", expect=400)
    await filled.client.head(f"/sources?{query}", expect=400)


@rule("TAG-5", "TAG-6", "TAG-9", "GEN-6")
@pytest.mark.parametrize("name", NAMES)
async def test_names_of_tags_may_hold_anything(house: House, name: str) -> None:
    tags = {name: ["one, two", "a|b", "%", "ü"], "other": "one"}
    await house.client.put(f"/flows/{flow_id(1)}", video(1, 1, tags=tags), expect=201)
    await house.client.put(f"/flows/{flow_id(2)}", video(2, 2, tags={f"x{name}": "one"}), expect=201)
    encoded = quote(name, safe="")
    for wanted in (f"tag_exists.{encoded}=true", *(f"tag.{encoded}={quote(value, safe='')}" for value in tags[name])):
        assert _flows(await house.client.get(f"/flows?{wanted}")) == _ids("1"), wanted
        assert len((await house.client.get(f"/sources?{wanted}")).json()) == 1
    assert _flows(await house.client.get(f"/flows?tag_exists.{encoded}=false")) == _ids("2")
    assert _flows(await house.client.get(f"/flows?tag.{encoded}=one,two")) == set()


@rule("TAG-8", "FLW-24")
async def test_filters_follow_every_change(filled: House) -> None:
    await filled.client.put(f"/flows/{flow_id(1)}/tags/colour", "green")
    await filled.client.put(f"/flows/{flow_id(2)}/label", "z")
    await filled.client.delete(f"/flows/{flow_id(4)}/tags/site")
    await filled.client.put(f"/flows/{flow_id(3)}", image(3, 3, status="ingesting"))
    await filled.client.put(f"/flows/{flow_id(5)}/flow_collection", [{"id": flow_id(2), "role": "role 2"}])
    for query, numbers in (
        ("tag.colour=green", "1"),
        ("tag.colour=red", "5"),
        ("tag_exists.site=true", "1"),
        ("tag_exists.empty=true", ""),
        ("label=z", "2"),
        ("label=b", ""),
        ("status=ingesting", "13"),
        ("collected_by_ids=", "13456"),
        (f"collected_by_ids={flow_id(5)}", "2"),
    ):
        assert _flows(await filled.client.get(f"/flows?{query}")) == _ids(numbers), query
    await filled.client.delete(f"/flows/{flow_id(5)}")
    assert _flows(await filled.client.get("/flows?collected_by_ids=")) == _ids("12346")
    assert (await filled.client.get(f"/sources?collected_by_ids={source_id(5)}")).json() == []


@rule("RET-4", "TAG-8")
@pytest.mark.parametrize("path", [f"/flows/{flow_id(1)}", f"/sources/{source_id(1)}"])
async def test_a_tag_that_changes_shows_at_once(filled: House, path: str) -> None:
    """Who retains by tags reads them again before it deletes."""
    listing, _, own = path.rpartition("/")
    name = "segment_retention_offset"

    async def found(query: str) -> bool:
        return own in _flows(await filled.client.get(f"{listing}?{query}"))

    assert not await found(f"tag_exists.{name}=true")
    for offset, other in (("60:0", "90:0"), ("90:0", "60:0")):
        await filled.client.put(f"{path}/tags/{name}", offset)
        assert (await filled.client.get(path)).json()["tags"][name] == offset
        (listed,) = [item for item in (await filled.client.get(listing)).json() if item["id"] == own]
        assert listed["tags"][name] == offset
        assert await found(f"tag_exists.{name}=true")
        assert (await found(f"tag.{name}={offset}"), await found(f"tag.{name}={other}")) == (True, False)
    await filled.client.delete(f"{path}/tags/{name}")
    assert name not in (await filled.client.get(path)).json()["tags"]
    assert not await found(f"tag_exists.{name}=true")


@rule("FLW-8", "PAG-17")
async def test_many_ids_are_one_filter(filled: House) -> None:
    ids = ",".join(flow_id(number) for number in range(100, 250))
    assert (await filled.client.get(f"/flows?collected_by_ids={ids}")).json() == []
    assert _flows(await filled.client.get(f"/flows?collected_by_ids={ids},{flow_id(5)}")) == _ids("12")


async def test_tags_that_no_list_could_hold_are_refused(house: House) -> None:
    """Each value is kept with its name."""
    values = [str(number) for number in range(1000)]
    await house.client.put(f"/flows/{flow_id(1)}", video(1, 1, tags={"n" * 100: values}), expect=201)
    answer = await house.client.put(f"/flows/{flow_id(1)}", video(1, 1, tags={"n" * 200: values}), expect=400)
    assert answer.json()["field"] == "$.tags"
    await house.client.put(f"/sources/{source_id(1)}/tags/{'n' * 200}", values, expect=400)
