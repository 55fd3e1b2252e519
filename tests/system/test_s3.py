"""Media in S3, seen from outside: clients go to the buckets, and what nobody needs any more leaves them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from yarl import URL

from tams_common.objects.declared import S3Backend, read_backends
from tams_common.objects.s3 import S3Objects
from tests.common.eventually import eventually
from tests.conformance import rule
from tests.system import words
from tests.system.api import Api, escaped
from tests.system.assemblies import on_s3

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the store has its configuration."""
    return tmp_path_factory.mktemp("s3")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def s3_api(scratch: Path) -> AsyncIterator[Api]:
    """A client of a store with two buckets."""
    async with on_s3(scratch) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def buckets(scratch: Path, s3_api: Api) -> AsyncIterator[dict[str, S3Objects]]:
    """The store's buckets by their labels, past the store."""
    opened: dict[str, S3Objects] = {}
    for declared in read_backends(scratch / "storage.toml"):
        assert isinstance(declared, S3Backend)
        opened[declared.label or ""] = S3Objects(declared, url_lifetime=300)
        await opened[declared.label or ""].open()
    yield opened
    for objects in opened.values():
        await objects.close()


async def count(objects: S3Objects) -> int:
    """How many objects a bucket holds."""
    return len([entry async for entry in objects.entries()])


@rule("STB-1", "STB-2", "STB-3", "STB-4", "STB-7", "STB-8")
async def test_backends_are_shown_as_they_are_declared(s3_api: Api, buckets: dict[str, S3Objects]) -> None:
    far, near = (await s3_api.get("/service/storage-backends")).json()
    assert near == {
        "id": buckets["near"].backend.id,
        "store_type": "http_object_store",
        "provider": "seaweedfs",
        "store_product": "seaweedfs",
        "label": "near",
        "region": "us-east-1",
        "default_storage": True,
        "tags": {"speed": "fast"},
    }
    assert (far["label"], far.get("default_storage", False), "tags" in far) == ("far", False, False)
    assert (await s3_api.get("/service/storage-backends?tag.speed=fast")).json() == [near]


@rule("STO-6", "STO-8", "STO-12", "STO-20", "INT-2", "SEG-14", "SEG-17", "URL-1", "URL-3")
async def test_media_goes_straight_to_the_bucket_that_is_asked_for(s3_api: Api, buckets: dict[str, S3Objects]) -> None:
    flow = await words.make_flow(s3_api)
    far, before = buckets["far"], await count(buckets["near"])
    answer = await s3_api.post(f"/flows/{flow}/storage", {"limit": 1, "storage_id": far.backend.id})
    (item,) = answer.json()["media_objects"]
    url = URL(item["put_url"]["url"], encoded=True)
    assert url.port != URL(s3_api.url).port
    assert url.query["X-Amz-SignedHeaders"] == "content-type;host"
    assert (item["presigned"], item["put_url"]["content-type"]) == (True, "video/mp2t")
    await s3_api.upload(item["put_url"], b"media")
    assert (await count(buckets["near"]), await count(far)) == (before, 1)
    await s3_api.post(f"/flows/{flow}/segments", words.segment(item["object_id"], 0, end=1))
    listing = f"/flows/{flow}/segments"
    (segment,) = (await s3_api.get(f"{listing}?verbose_storage=true&presigned=true")).json()
    (found,) = segment["get_urls"]
    assert (found["label"], found["storage_id"], found["presigned"]) == ("far", far.backend.id, True)
    assert (await s3_api.download(found["url"])).body == b"media"
    (segment,) = (await s3_api.get(f"{listing}?accept_storage_ids={buckets['near'].backend.id}")).json()
    assert segment["get_urls"] == []
    await s3_api.delete(f"/flows/{flow}")

    async def gone() -> bool:
        return await count(far) == 0

    await eventually(gone)


@rule("SEG-15", "STO-11", "STO-13", "URL-3", "URL-4", "URL-7", "URL-12")
async def test_plain_urls_where_a_backend_offers_them(s3_api: Api, buckets: dict[str, S3Objects]) -> None:
    flow, far = await words.make_flow(s3_api), buckets["far"].backend.id
    storage, listing = f"/flows/{flow}/storage", f"/flows/{flow}/segments"
    await s3_api.post(storage, {"limit": 1, "storage_id": far, "presigned": False}, expect=400)
    answer = await s3_api.post(storage, {"limit": 1, "storage_id": far, "presigned": True})
    (item,) = answer.json()["media_objects"]
    await s3_api.post(listing, words.segment(item["object_id"], 0, end=1))
    (segment,) = (await s3_api.get(f"{listing}?verbose_storage=true")).json()
    signed, plain = segment["get_urls"]
    assert (signed["presigned"], plain.get("presigned", False)) == (True, False)
    assert (signed["label"], signed["storage_id"]) == (plain["label"], plain["storage_id"]) == ("far", far)
    assert plain["url"] == signed["url"].partition("?")[0]
    (only,) = (await s3_api.get(f"{listing}?presigned=false")).json()
    assert [url["url"] for url in only["get_urls"]] == [plain["url"]]
    await s3_api.delete(f"/flows/{flow}")


@rule("TMO-2", "OBJ-13")
async def test_deleted_media_leaves_the_bucket(s3_api: Api, buckets: dict[str, S3Objects]) -> None:
    flow, near = await words.make_flow(s3_api), buckets["near"]
    before = await count(near)
    allocated = await words.allocate(s3_api, flow, count=4)
    for n, item in enumerate(allocated):
        await s3_api.upload(item["put_url"], b"media")
        await s3_api.post(f"/flows/{flow}/segments", words.segment(item["object_id"], n, end=n + 1))
    assert await count(near) == before + 4
    await s3_api.delete(f"/flows/{flow}/segments?timerange={escaped('[0:0_2:0)')}")

    async def halved() -> bool:
        return await count(near) == before + 2

    await eventually(halved)
    (segment, _) = (await s3_api.get(f"/flows/{flow}/segments")).json()
    assert (await s3_api.download(segment["get_urls"][0]["url"])).status == 200


@rule("URL-9")
async def test_a_forged_url_is_refused_by_the_bucket(s3_api: Api) -> None:
    flow = await words.make_flow(s3_api)
    (item,) = await words.allocate(s3_api, flow, count=1)
    await s3_api.upload(item["put_url"], b"media")
    await s3_api.post(f"/flows/{flow}/segments", words.segment(item["object_id"], 0, end=1))
    (segment,) = (await s3_api.get(f"/flows/{flow}/segments?presigned=true")).json()
    url = segment["get_urls"][0]["url"]
    assert (await s3_api.download(url.replace("X-Amz-Expires=", "X-Amz-Expires=1"))).status == 403
    assert (await s3_api.download(url.partition("?")[0])).status == 403
    assert (await s3_api.download(url)).body == b"media"
