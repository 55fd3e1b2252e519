"""POST storage and GET storage-backends (STO, STB)."""

import asyncio
from pathlib import Path

import pytest

from tams_common.errors import Unavailable
from tams_common.ids import FlowId, new_id
from tams_common.objects import Objects
from tams_common.objects.declared import S3Backend
from tams_common.objects.local.signing import Mac
from tams_common.objects.s3 import S3Objects
from tams_segments.allocating import Allocator
from tams_segments.requests import StoragePost
from tests.conformance import rule
from tests.segments.rig import FLOW, OTHER_FLOW, Rig, object_id, running, segment

STORAGE = f"/flows/{FLOW}/storage"


@rule("STO-1", "STO-8", "STO-12", "STO-17")
async def test_each_object_comes_with_what_its_upload_needs(rig: Rig) -> None:
    answer = (await rig.client.post(STORAGE, {"limit": 3})).json()
    assert answer.keys() == {"media_objects"}
    assert len({place["object_id"] for place in answer["media_objects"]}) == 3
    for place in answer["media_objects"]:
        assert place["presigned"] is True
        assert place["put_url"].keys() == {"url", "content-type"}
        assert place["put_url"]["content-type"] == "video/mp2t"
        assert place["put_url"]["url"].startswith("http://tams.test/media/")


@rule("STO-2", "STO-3", "STO-19")
async def test_how_many_there_are(rig: Rig) -> None:
    absent = await rig.client.send("POST", STORAGE, expect=201)
    assert len(absent.json()["media_objects"]) == 10
    assert len((await rig.client.post(STORAGE, {})).json()["media_objects"]) == 10
    assert len((await rig.client.post(STORAGE, {"limit": 10**30})).json()["media_objects"]) == 1000
    assert len((await rig.client.post(STORAGE, {"object_ids": []})).json()["media_objects"]) == 0


@rule("STO-2", "STO-4", "STO-5")
async def test_named_objects_are_new_or_nothing_happens(rig: Rig) -> None:
    names = ["a/../b", "ü", "x" * 1024]
    answer = (await rig.client.post(STORAGE, {"object_ids": names, "limit_": 1})).json()
    assert [place["object_id"] for place in answer["media_objects"]] == names
    again = await rig.client.post(STORAGE, {"object_ids": ["new", "ü"]}, expect=400)
    assert "already exist" in again.json()["message"]
    await rig.client.post(STORAGE, {"object_ids": ["new"]})


async def test_thousands_of_objects_leave_turns_for_others(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    made, most, sign = 0, 0, Mac.of

    def drawn() -> str:
        nonlocal made
        made += 1
        return new_id()

    def signed(mac: Mac, key: str) -> str:
        nonlocal made
        made += 1
        return sign(mac, key)

    async def others() -> None:
        nonlocal made, most
        while True:
            most, made = max(most, made), 0
            await asyncio.sleep(0)

    monkeypatch.setattr(Mac, "of", signed)
    allocator = Allocator(rig.store, [rig.objects], clock=rig.clock, new_id=drawn, lifetime=600)
    wanted = StoragePost(object_ids=tuple(new_id() for _ in range(5000)))
    task = asyncio.create_task(others())
    places = await allocator.allocate(
        FlowId(FLOW), wanted, container="video/mp2t", count=1, base_url="http://tams.test"
    )
    task.cancel()
    assert [place.object_id for place in places.media_objects] == list(wanted.object_ids or ())
    assert 0 < most <= 1000


async def test_names_are_not_taken_by_a_backend_that_cannot_sign(rig: Rig) -> None:
    closed = S3Objects(S3Backend(id=object_id(1), bucket="media"), url_lifetime=300)
    allocator = Allocator(rig.store, [closed, rig.objects], clock=rig.clock, new_id=new_id, lifetime=600)

    async def allocated(objects: Objects) -> list[str]:
        wanted = StoragePost(object_ids=("a", "b"), storage_id=objects.backend.id)
        places = await allocator.allocate(FlowId(FLOW), wanted, container="video/mp2t", count=1, base_url="")
        return [place.object_id for place in places.media_objects]

    with pytest.raises(Unavailable):
        await allocated(closed)
    assert await allocated(rig.objects) == ["a", "b"]


@rule("STO-8", "STO-10", "INI-3", "INI-13")
@pytest.mark.parametrize("given", [{"content_type": "video/mp4"}, {"content-type": "video/mp4"}])
async def test_init_segments_may_have_a_type_of_their_own(rig: Rig, given: dict[str, str]) -> None:
    answer = (await rig.client.post(STORAGE, {"limit": 1, "presigned": True, **given})).json()
    assert answer["media_objects"][0]["put_url"]["content-type"] == "video/mp4"


@rule("STO-6")
async def test_the_backend_may_be_named(rig: Rig) -> None:
    await rig.client.post(STORAGE, {"storage_id": rig.objects.backend.id})
    answer = await rig.client.post(STORAGE, {"storage_id": object_id(1)}, expect=400)
    assert answer.json()["field"] == "$.storage_id"


@rule("STO-2", "STO-21")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"limit": 1, "object_ids": ["a"]}, "$"),
        ({"object_ids": ["a", "a"]}, "$"),
        ({"object_ids": ["a", 5]}, "$.object_ids[1]"),
        ({"object_ids": [""]}, "$.object_ids[0]"),
        ({"object_ids": None}, "$.object_ids"),
        ({"limit": 0}, "$.limit"),
        ({"limit": 1.5}, "$.limit"),
        ({"limit": True}, "$.limit"),
        ({"storage_id": "X"}, "$.storage_id"),
        ({"content_type": "video"}, "$.content_type"),
        ({"content_type": "foo/bar"}, "$.content_type"),
        ({"content_type": "video/mp4; a=b"}, "$.content_type"),
        ({"content_type": "video/mp4\n"}, "$.content_type"),
        ({"content_type": "video/mp4", "content-type": "video/mp2t"}, "$"),
        ({"presigned": "true"}, "$.presigned"),
        ({"presigned": False}, "$.presigned"),
        ([], "$"),
    ],
)
async def test_bad_bodies_are_400(rig: Rig, body: object, field: str) -> None:
    answer = await rig.client.post(STORAGE, body, expect=400)
    assert answer.json()["field"] == field


@rule("STO-7")
async def test_the_flow_decides_who_may_allocate(rig: Rig) -> None:
    await rig.client.post("/flows/x/storage", {}, expect=404)
    await rig.client.post(f"/flows/{OTHER_FLOW}/storage", {}, expect=404)
    rig.catalog.put(FLOW, read_only=True)
    await rig.client.post(STORAGE, {}, expect=403)
    rig.catalog.put(FLOW, read_only=False, container=None)
    await rig.client.post(STORAGE, {}, expect=400)


async def test_the_backends_are_listed(rig: Rig) -> None:
    answer = await rig.client.get("/service/storage-backends")
    (backend,) = answer.json()
    assert {"id", "store_type", "provider", "store_product", "label", "default_storage"} == backend.keys()
    assert answer.headers["x-paging-count"] == "1"
    assert answer.headers["x-paging-reverse-order"] == "false"
    assert (await rig.client.get("/service/storage-backends?tag.a=b")).json() == []
    assert len((await rig.client.get("/service/storage-backends?tag_exists.a=false")).json()) == 1
    await rig.client.head("/service/storage-backends?limit=1&reverse_order=true")


@rule("STO-15", "STO-16", "TMO-3", "SGP-29")
async def test_unused_allocations_are_collected_after_their_time(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.catalog.put(FLOW)
        used, unused, late = object_id(1), object_id(2), object_id(3)
        await rig.allocate(used, unused, late)
        await rig.client.post(f"/flows/{FLOW}/segments", segment(used, "[0:0_1:0)"))
        rig.clock.advance(seconds=599)
        await rig.collector.sweep()
        await rig.client.post(f"/flows/{FLOW}/segments", segment(late, "[1:0_2:0)"))
        rig.clock.advance(seconds=1)
        await rig.collector.sweep()
        await rig.client.post(f"/flows/{FLOW}/segments", segment(unused, "[2:0_3:0)"), expect=400)
        assert await rig.timeranges() == ["[0:0_1:0)", "[1:0_2:0)"]
        await rig.allocate(unused)
        await rig.client.post(f"/flows/{FLOW}/segments", segment(unused, "[2:0_3:0)"))


async def test_a_collected_id_can_be_used_anew_while_its_bytes_still_lie_there(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.catalog.put(FLOW)
        first = (await rig.client.post(STORAGE, {"object_ids": ["x"]})).json()["media_objects"][0]["put_url"]["url"]
        headers = {"content-type": "video/mp2t"}
        await rig.client.send("PUT", first, body=b"old", headers=headers, expect=200)
        rig.clock.advance(seconds=600)
        await rig.collector.sweep()
        second = (await rig.client.post(STORAGE, {"object_ids": ["x"]})).json()["media_objects"][0]["put_url"]["url"]
        await rig.client.send("PUT", second, body=b"new", headers=headers, expect=200)
        await rig.client.post(f"/flows/{FLOW}/segments", segment("x", "[0:0_1:0)"))
        rig.clock.advance(seconds=4000)
        await rig.collector.sweep()
        url = (await rig.client.get("/objects/x")).json()["get_urls"][0]["url"]
        assert (await rig.client.get(url)).body == b"new"
        old = first.partition("/media/")[2].partition("?")[0]
        assert await rig.objects.head(old) is None
