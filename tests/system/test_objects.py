"""Objects seen from outside: who uses them, by the tags of flows, and where they are, in buckets and elsewhere."""

import base64
import hashlib
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.common.eventually import eventually
from tests.conformance import rule
from tests.spec import Spec
from tests.system import words
from tests.system.api import Api, escaped
from tests.system.assemblies import on_s3

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def s3_api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A client of a store with two buckets."""
    async with on_s3(tmp_path_factory.mktemp("s3")) as client:
        yield client


async def uploaded(api: Api, flow: str, *, data: bytes, **more: object) -> str:
    """An object of the flow with its bytes, in one segment."""
    (item,) = await words.allocate(api, flow, count=1)
    await api.upload(item["put_url"], data)
    await api.post(f"/flows/{flow}/segments", words.segment(item["object_id"], 0, end=1, **more))
    name: str = item["object_id"]
    return name


async def urls(api: Api, name: str, *, query: str = "") -> list[dict[str, Any]]:
    """The URLs of an object."""
    found: list[dict[str, Any]] = (await api.get(f"/objects/{escaped(name)}?{query}")).json()["get_urls"]
    return found


@rule("OBJ-10", "OBJ-11", "OBJ-3", "OBJ-5")
async def test_flows_are_chosen_by_the_tags_that_they_have_now(api: Api, spec: Spec) -> None:
    one = await words.make_flow(api, tags={"kind": "news", "site": ["a", "b"]})
    other = await words.make_flow(api)
    name = await uploaded(api, one, data=b"media")
    await api.post(f"/flows/{other}/segments", words.segment(name, 0, end=1))
    body = (await api.get(f"/objects/{name}")).json()
    spec.schema("object").validate(body)
    assert (body["referenced_by_flows"], body["first_referenced_by_flow"]) == (sorted([one, other]), one)

    async def found(query: str) -> list[str]:
        flows: list[str] = (await api.get(f"/objects/{name}?{query}")).json()["referenced_by_flows"]
        return flows

    async def all_is_known() -> bool:
        return await found("flow_tag.kind=news") == [one] and await found("flow_tag_exists.kind=false") == [other]

    await eventually(all_is_known)
    assert await found("flow_tag.site=b&flow_tag_exists.kind=true") == [one]
    assert await found("flow_tag.kind=films") == []
    await api.put(f"/flows/{other}/tags/kind", "news")
    await eventually(lambda: _is(found("flow_tag.kind=news"), sorted([one, other])))
    await api.delete(f"/flows/{one}/tags/kind")
    await eventually(lambda: _is(found("flow_tag.kind=news"), [other]))
    await api.delete(f"/flows/{other}")
    await eventually(lambda: _is(found(""), [one]))
    assert await found("flow_tag.kind=news") == []


async def _is(found: Any, expected: object) -> bool:  # noqa: ANN401 — an awaitable of what is compared
    return bool(await found == expected)


@rule("INS-1", "INS-4", "INS-9", "INS-11", "INS-12", "INS-15", "OBJ-7", "SEG-25", "URL-1")
async def test_an_object_moves_from_bucket_to_bucket(s3_api: Api, spec: Spec) -> None:
    far, near = (await s3_api.get("/service/storage-backends")).json()
    flow, data = await words.make_flow(s3_api), b"media" * 4_000_000
    name = await uploaded(s3_api, flow, data=data)
    instances = f"/objects/{name}/instances"
    await s3_api.post(instances, {"storage_id": far["id"]})
    await s3_api.post(instances, {"storage_id": near["id"]}, expect=400)
    await s3_api.post("/objects/unknown/instances", {"storage_id": near["id"]}, expect=404)

    async def is_there() -> bool:
        return {url["label"] for url in await urls(s3_api, name)} == {"near", "far"}

    await eventually(is_there)
    shown = (await s3_api.get(f"/objects/{name}?verbose_storage=true")).json()
    spec.schema("object").validate(shown)
    for url in shown["get_urls"]:
        if url["presigned"]:
            assert (await s3_api.download(url["url"])).body == data
    (before,) = [url["url"] for url in shown["get_urls"] if url["label"] == "near"]
    await s3_api.delete(f"{instances}?storage_id={near['id']}")
    await s3_api.delete(f"{instances}?label=far", expect=400)
    (segment,) = (await s3_api.get(f"/flows/{flow}/segments?presigned=true")).json()
    assert [url["label"] for url in segment["get_urls"]] == ["far"]

    async def is_gone() -> bool:
        return (await s3_api.download(before)).status == 404

    await eventually(is_gone)
    await s3_api.delete(f"/flows/{flow}")


@rule("INS-2", "INS-5", "INS-10", "INS-13", "URL-5", "SGP-14")
async def test_an_object_may_be_elsewhere_too(memory_api: Api, spec: Spec) -> None:
    flow = await words.make_flow(memory_api)
    elsewhere = {"url": "https://cdn.example/media/1.ts?token=a%2Bb", "label": "cdn"}
    name = f"ext/{words.new_id()}"
    await memory_api.post(f"/flows/{flow}/segments", words.segment(name, 0, end=1, get_urls=[elsewhere]))
    instances = f"/objects/{escaped(name)}/instances"
    await memory_api.post(instances, elsewhere | {"label": "local"}, expect=400)
    await memory_api.post(instances, elsewhere, expect=400)
    await memory_api.post(instances, elsewhere | {"label": "second"})
    shown = (await memory_api.get(f"/objects/{escaped(name)}?verbose_storage=true")).json()
    spec.schema("object").validate(shown)
    assert shown["get_urls"] == [
        elsewhere | {"controlled": False},
        elsewhere | {"label": "second", "controlled": False},
    ]
    await memory_api.delete(f"{instances}?label=cdn")
    await memory_api.delete(f"{instances}?label=cdn", expect=404)
    await memory_api.delete(instances, expect=400)
    assert [url["label"] for url in await urls(memory_api, name)] == ["second"]


@rule("OBJ-9", "OBJ-14")
@pytest.mark.parametrize("query", ["accept_get_urls=", "accept_get_urls=none", "presigned=false"])
async def test_filters_take_urls_and_leave_the_object(memory_api: Api, query: str) -> None:
    flow = await words.make_flow(memory_api)
    name = await uploaded(memory_api, flow, data=b"media")
    assert await urls(memory_api, name, query=query) == []
    await memory_api.get(f"/objects/{name}?accept_get_urls=,", expect=400)
    assert len(await urls(memory_api, name, query="accept_storage_ids=")) == 1


@rule("URL-8", "URL-11", "INT-2", "INT-3")
async def test_urls_on_the_stores_own_origin_take_credentials_and_checksum_headers(memory_api: Api) -> None:
    """There is none without a signature; a client that sends its credentials all the same is not turned away."""
    flow = await words.make_flow(memory_api)
    data = b"media"
    checksum = {"x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(data).digest()).decode()}
    (item,) = await words.allocate(memory_api, flow, count=1)
    kind = {"Content-Type": item["put_url"]["content-type"]}
    await memory_api.call("PUT", item["put_url"]["url"], headers=kind | checksum, data=io.BytesIO(data))
    await memory_api.post(f"/flows/{flow}/segments", words.segment(item["object_id"], 0, end=1))
    (url,) = await urls(memory_api, item["object_id"])
    assert url["url"].startswith(memory_api.url)
    assert url["presigned"] is True
    basic = base64.b64encode(f"any:{memory_api.token}".encode()).decode()
    for header in (f"Bearer {memory_api.token}", f"Basic {basic}"):
        headers = {"Authorization": header, "x-amz-checksum-mode": "ENABLED"}
        answer = await memory_api.download(url["url"], headers=headers)
        assert (answer.status, answer.body) == (200, data)
        assert answer.headers["x-amz-checksum-sha256"] == checksum["x-amz-checksum-sha256"]
    answer = await memory_api.download(f"{url['url']}&access_token={memory_api.token}")
    assert (answer.status, answer.body) == (200, data)


@rule("INI-1", "INI-2", "INI-3", "INI-4", "INI-5", "INI-8", "INI-12", "INI-13")
async def test_init_segments_of_one_flow_serve_another(memory_api: Api, spec: Spec) -> None:
    essence = words.video_flow("", "")["essence_parameters"] | {"init_segments": True}  # type: ignore[operator]
    parts: dict[str, Any] = {"container": "video/iso.segment", "essence_parameters": essence}
    flow, other = await words.make_flow(memory_api, **parts), await words.make_flow(memory_api, **parts)
    plain = await words.make_flow(memory_api)
    wanted = {"limit": 1, "content_type": "video/mp4"}
    (head,) = (await memory_api.post(f"/flows/{flow}/storage", wanted)).json()["media_objects"]
    assert head["put_url"]["content-type"] == "video/mp4"
    await memory_api.upload(head["put_url"], b"init")
    media = await words.allocate(memory_api, flow, count=3)
    for item in media:
        assert item["put_url"]["content-type"] == "video/iso.segment"
        await memory_api.upload(item["put_url"], b"media")
    first, second, third = (str(item["object_id"]) for item in media)
    init = str(head["object_id"])
    listing = f"/flows/{flow}/segments"
    await memory_api.post(listing, words.segment(first, 0, end=1), expect=400)
    items = [words.segment(name, at, end=at + 1, init_object_id=init) for at, name in enumerate((first, second))]
    await memory_api.post(listing, items)
    await memory_api.post(listing, words.segment(third, 2, end=3, init_object_id=first), expect=400)
    await memory_api.post(f"/flows/{other}/segments", words.segment(first, 0, end=1))
    await memory_api.post(f"/flows/{plain}/segments", words.segment(first, 0, end=1), expect=400)
    for found in await memory_api.all(listing) + await memory_api.all(f"/flows/{other}/segments"):
        spec.schema("flow-segment").validate(found)
        (url,) = found["init_object"]["get_urls"]
        assert found["init_object"]["object_id"] == init
        assert (await memory_api.download(url["url"])).headers["Content-Type"] == "video/mp4"
    shown = (await memory_api.get(f"/objects/{init}")).json()
    spec.schema("object").validate(shown)
    assert (shown["referenced_by_flows"], "timerange" in shown) == (sorted([flow, other]), False)
    flows = {item["id"] for item in await memory_api.all("/flows?init_segments=true")}
    assert {flow, other} <= flows
    assert plain not in flows
    await memory_api.delete(listing)
    await memory_api.get(f"/objects/{init}")
    await memory_api.delete(f"/flows/{other}/segments")
    await memory_api.get(f"/objects/{init}", expect=404)


@rule("TMO-4")
async def test_the_times_that_are_promised_lie_within_their_bounds(memory_api: Api) -> None:
    shown = (await memory_api.get("/service")).json()
    kept, signed = (int(shown[f"min_{name}_timeout"].partition(":")[0]) for name in ("object", "presigned_url"))
    assert kept >= 300
    assert 30 <= signed <= kept
