"""The main job, told on every assembly: media in, found by time, media out, gone again."""

import hashlib
import random

import pytest

from tests.common.eventually import eventually
from tests.conformance import rule
from tests.system import words
from tests.system.api import Api, escaped

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_media_in_and_media_out(api: Api) -> None:
    flow, source = words.new_id(), words.new_id()
    made = await api.put(f"/flows/{flow}", words.video_flow(flow, source, label="camera 1"), expect=201)
    assert made.json()["id"] == flow
    assert (await api.get(f"/sources/{source}")).json()["format"] == words.VIDEO
    allocated = await words.allocate(api, flow, count=5)
    media = [random.Random(n).randbytes(50_000 + n) for n in range(5)]
    for item, data in zip(allocated, media, strict=True):
        assert item["presigned"] is True
        assert item["put_url"]["content-type"] == "video/mp2t"
        await api.upload(item["put_url"], data)
    ids = [item["object_id"] for item in allocated]
    assert (await api.get(f"/objects/{escaped(ids[0])}", expect=404)).status == 404
    await api.post(f"/flows/{flow}/segments", [words.segment(id_, 2 * n, end=2 * n + 2) for n, id_ in enumerate(ids)])

    window = await api.get(f"/flows/{flow}/segments?timerange={escaped('[3:0_7:0)')}")
    assert [item["object_id"] for item in window.json()] == ids[1:4]
    assert window.headers["X-Paging-Timerange"] == "[2:0_8:0)"
    for item, data in zip(window.json(), media[1:4], strict=True):
        (url,) = item["get_urls"]
        assert url["presigned"] is True
        got = await api.download(url["url"])
        assert hashlib.sha256(got.body).digest() == hashlib.sha256(data).digest()
        assert got.headers["Content-Type"] == "video/mp2t"
        part = await api.download(url["url"], headers={"Range": "bytes=100-199"})
        assert (part.status, part.body) == (206, data[100:200])


@rule("PAG-6", "PAG-10", "PAG-19")
async def test_pages_follow_the_link_and_survive_writes_between_them(api: Api) -> None:
    flow = await words.make_flow(api)
    ids = await words.fill(api, flow, count=25)
    first = await api.get(f"/flows/{flow}/segments?limit=10&accept_get_urls=")
    assert first.headers["X-Paging-Limit"] == "10"
    assert first.headers["X-Paging-Count"] == "10"
    assert first.headers["X-Paging-Reverse-Order"] == "false"
    assert first.next is not None
    assert first.next.startswith(api.url + "/flows/")
    assert "accept_get_urls=" in first.next
    await words.fill(api, flow, count=5, start=50)
    rest = await api.all(first.next)
    assert [item["object_id"] for item in first.json() + rest][:25] == ids
    assert len(rest) == 20
    backwards = await api.all(f"/flows/{flow}/segments?limit=7&reverse_order=true")
    assert [item["object_id"] for item in backwards][5:] == ids[::-1]


@rule("ERR-4", "GEN-16")
async def test_overlaps_are_refused_and_the_rest_goes_in(api: Api) -> None:
    flow = await words.make_flow(api)
    await words.fill(api, flow, count=3)
    ids = [item["object_id"] for item in await words.allocate(api, flow, count=3)]
    items = [words.segment(ids[0], 6, end=8), words.segment(ids[1], 5, end=7), words.segment(ids[2], 8, end=10)]
    answer = await api.post(f"/flows/{flow}/segments", items, expect=200)
    (failed,) = answer.json()["failed_segments"]
    assert (failed["object_id"], failed["timerange"]) == (ids[1], "[5:0_7:0)")
    assert "overlap" in failed["error"]["summary"].lower() + str(failed["error"]).lower()
    assert len(await api.all(f"/flows/{flow}/segments?accept_get_urls=")) == 5
    await api.post(f"/flows/{flow}/segments", words.segment(ids[1], 9, end=11), expect=400)


async def test_every_change_reaches_the_catalog_by_event(api: Api) -> None:
    flow = await words.make_flow(api)
    assert (await api.get(f"/flows/{flow}?include_timerange=true")).json()["timerange"] == "()"
    await words.fill(api, flow, count=3, start=100)
    own = (await api.get(f"/flows/{flow}?include_timerange=true")).json()
    assert own["timerange"] == "[100:0_106:0)"

    async def updated() -> bool:
        return "segments_updated" in (await api.get(f"/flows/{flow}")).json()

    await eventually(updated)


@rule("HEAD-2", "HEAD-3", "HEAD-4")
async def test_head_answers_like_get_without_a_body(api: Api) -> None:
    flow = await words.make_flow(api)
    (id_,) = await words.fill(api, flow, count=1)
    for path in ("/", "/service", "/service/storage-backends", "/flows", f"/flows/{flow}", f"/flows/{flow}/segments"):
        got, head = await api.get(path), await api.head(path)
        assert head.body == b""
        assert head.headers["Content-Type"] == got.headers["Content-Type"]
        assert head.headers.get("X-Paging-Limit") == got.headers.get("X-Paging-Limit")
    await api.head(f"/objects/{escaped(id_)}")
    await api.head(f"/flows/{words.new_id()}", expect=404)


async def test_deleting_segments_and_flows_frees_everything(api: Api) -> None:
    flow = await words.make_flow(api)
    ids = await words.fill(api, flow, count=5)
    source = (await api.get(f"/flows/{flow}")).json()["source_id"]
    await api.delete(f"/flows/{flow}/segments?timerange={escaped('[1:0_7:0)')}")
    assert [item["object_id"] for item in await api.all(f"/flows/{flow}/segments")] == [ids[0], ids[3], ids[4]]
    await api.get(f"/objects/{escaped(ids[1])}", expect=404)
    await api.delete(f"/flows/{flow}")
    await api.get(f"/flows/{flow}", expect=404)
    await api.get(f"/sources/{source}", expect=404)
    assert (await api.get(f"/flows/{flow}/segments")).json() == []
    await api.delete(f"/flows/{flow}", expect=404)

    async def recreated() -> bool:
        body = words.video_flow(flow, source)
        return (await api.put(f"/flows/{flow}", body, expect=(201, 400))).status == 201

    await eventually(recreated)
    await words.fill(api, flow, count=2)
    assert len(await api.all(f"/flows/{flow}/segments")) == 2


@rule("ERR-6")
async def test_a_read_only_flow_takes_nothing(api: Api) -> None:
    flow = await words.make_flow(api)
    (id_,) = [item["object_id"] for item in await words.allocate(api, flow, count=1)]
    await api.put(f"/flows/{flow}/read_only", True, expect=204)
    await api.post(f"/flows/{flow}/segments", words.segment(id_, 0, end=1), expect=403)
    await api.post(f"/flows/{flow}/storage", {"limit": 1}, expect=403)
    await api.delete(f"/flows/{flow}/segments", expect=403)
    await api.delete(f"/flows/{flow}", expect=403)
    await api.put(f"/flows/{flow}/read_only", False, expect=204)
    await api.post(f"/flows/{flow}/segments", words.segment(id_, 0, end=1))


async def test_bulk_of_six_megabytes(api: Api) -> None:
    flow = await words.make_flow(api)
    (object_id,) = await words.fill(api, flow, count=1)
    padding = "x" * 600
    items = [words.segment(object_id, n, end=n + 1, ts_offset=f"{n}:0", padding=padding) for n in range(10, 8_410)]
    answer = await api.post(f"/flows/{flow}/segments", items, expect=201)
    assert answer.body in (b"", b"{}", b"null")
    assert len(await api.all(f"/flows/{flow}/segments?limit=300&accept_get_urls=")) == 8_401
