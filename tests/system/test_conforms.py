"""Answers and events of a running store, each held against the specification's own tables and schemas."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import pytest_asyncio

from tams_common.bus import Offsets, Partition
from tams_common.bus.sqlite import SqliteBus
from tests.spec import Spec
from tests.system import words
from tests.system.api import escaped
from tests.system.assemblies import in_this_process
from tests.system.conformance import ConformingApi, Tables

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORMATS = ("video", "audio", "image", "data", "multi")
LISTS = ("/flows", "/sources", "/service/storage-backends")
FLOW_MEMBERS: dict[str, tuple[object, object]] = {
    "label": ("a label", 5),
    "description": ("a description", None),
    "max_bit_rate": (5000, -1),
    "avg_bit_rate": (4000, "4000"),
    "flow_collection": ([], [{"role": "video"}]),
    "tags/colour": (["red", "green"], {"red": 1}),
}
SOURCE_MEMBERS = {name: FLOW_MEMBERS[name] for name in ("label", "description", "tags/colour")}


class Store(NamedTuple):
    """A running store: a client that checks what it gets, and the directory of the bus."""

    api: ConformingApi
    bus: Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store(spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Store]:
    bus = tmp_path_factory.mktemp("bus")
    async with (
        in_this_process({"TAMS_BUS_URL": f"sqlite:{bus}"}) as api,
        ConformingApi(api, Tables(spec)) as conforming,
    ):
        yield Store(conforming, bus)


def as_new(example: dict[str, object]) -> dict[str, object]:
    """An example of a flow with ids of its own, which collects nothing: examples name flows that are not there."""
    own: dict[str, object] = {"id": words.new_id(), "source_id": words.new_id(), "flow_collection": []}
    return example | own


async def test_flows_of_all_formats(store: Store, spec: Spec) -> None:
    api, formats = store.api, set[str]()
    for name in (*spec.examples("flow-get-200-*"), "flow-put", "flow-put-multi"):
        body = as_new(spec.example(name))
        formats.add(str(body["format"]).rpartition(":")[2])
        path = f"/flows/{body['id']}"
        await api.put(path, body, expect=201)
        shown = (await api.get(f"{path}?include_timerange=true")).json()
        await api.head(path)
        await api.put(path, shown | {"label": "another"}, expect=204)
        await api.put(path, body | {"essence_parameters": {"smell": 1}}, expect=400)
        await api.get(f"/sources/{body['source_id']}")
        await api.delete(path)
        await api.get(path, expect=404)
        await api.delete(path, expect=404)
    assert formats == set(FORMATS)


async def test_members_of_flows_and_sources(store: Store) -> None:
    api = store.api
    flow = await words.make_flow(api)
    source = (await api.get(f"/flows/{flow}")).json()["source_id"]
    for owner, members in ((f"/flows/{flow}", FLOW_MEMBERS), (f"/sources/{source}", SOURCE_MEMBERS)):
        for name, (good, bad) in members.items():
            path = f"{owner}/{name}"
            await api.put(path, good, expect=204)
            assert (await api.get(path)).json() == good
            await api.head(path)
            await api.put(path, bad, expect=400)
            await api.delete(path)
            await api.get(path, expect=404 if name.startswith("tags/") else 200)
        await api.get(f"{owner}/tags")
        await api.head(f"{owner}/tags")
    nowhere = words.new_id()
    for name, (good, _) in FLOW_MEMBERS.items():
        await api.get(f"/flows/{nowhere}/{name}", expect=404)
        await api.put(f"/flows/{nowhere}/{name}", good, expect=404)
        await api.delete(f"/flows/{nowhere}/{name}", expect=404)


async def test_a_read_only_flow(store: Store) -> None:
    api = store.api
    flow = await words.make_flow(api)
    (item,) = await words.allocate(api, flow, count=1)
    assert (await api.get(f"/flows/{flow}/read_only")).json() is False
    await api.put(f"/flows/{flow}/read_only", "yes", expect=400)
    await api.put(f"/flows/{flow}/read_only", True, expect=204)
    await api.put(f"/flows/{flow}", words.video_flow(flow, words.new_id()), expect=403)
    for name, (good, _) in FLOW_MEMBERS.items():
        await api.put(f"/flows/{flow}/{name}", good, expect=403)
        await api.delete(f"/flows/{flow}/{name}", expect=403)
    await api.post(f"/flows/{flow}/storage", {"limit": 1}, expect=403)
    await api.post(f"/flows/{flow}/segments", words.segment(item["object_id"], 0, end=1), expect=403)
    await api.delete(f"/flows/{flow}/segments", expect=403)
    await api.delete(f"/flows/{flow}", expect=403)


async def test_lists_and_their_pages(store: Store) -> None:
    api = store.api
    for number in range(5):
        await words.make_flow(api, label=f"flow {number}")
    for path in LISTS:
        for query in ("", "?limit=2", "?limit=100000", "?reverse_order=true&limit=3", "?access_token=unused"):
            for page in await api.pages(path + query):
                assert int(page.headers["X-Paging-Count"]) == len(page.json())
            await api.head(path + query)
    for query in ("limit=0", "reverse_order=1", "format=smell", "page=foreign"):
        await api.get(f"/flows?{query}", expect=400)
        await api.get(f"/sources?{query}", expect=400)
    await api.get("/")
    await api.get("/service")
    await api.head("/service")


async def test_storage(store: Store, spec: Spec) -> None:
    api = store.api
    flow = await words.make_flow(api)
    for name in ("flow-storage-post", "flow-storage-post-object_ids"):
        await api.post(f"/flows/{flow}/storage", spec.example(name))
    backend = (await api.get("/service/storage-backends")).json()[0]["id"]
    await api.post(f"/flows/{flow}/storage", {"storage_id": backend, "content_type": "video/mp4", "presigned": True})
    for body in (
        spec.example("flow-storage-post-object_ids"),
        {"limit": 1, "object_ids": ["one"]},
        {"storage_id": words.new_id()},
        {"presigned": False},
    ):
        await api.post(f"/flows/{flow}/storage", body, expect=400)
    await api.post(f"/flows/{words.new_id()}/storage", {}, expect=404)
    bare = {key: value for key, value in words.video_flow(words.new_id(), words.new_id()).items() if key != "container"}
    await api.put(f"/flows/{bare['id']}", bare, expect=201)
    await api.post(f"/flows/{bare['id']}/storage", {}, expect=400)
    await api.post(f"/flows/{bare['id']}/segments", words.segment("any", 0, end=1), expect=400)


async def with_init_segments(store: Store) -> tuple[str, list[str]]:
    """A flow whose three media objects need an init object; their ids, the init object's last."""
    api = store.api
    essence = {"frame_width": 1, "frame_height": 1, "frame_rate": {"numerator": 25}, "init_segments": True}
    flow = await words.make_flow(api, essence_parameters=essence, container="video/iso.segment")
    ids = [item["object_id"] for item in await words.allocate(api, flow, count=4)]
    items = [
        words.segment(id_, n, end=n + 1, init_object_id=ids[-1], key_frame_count=1, ts_offset=f"{n}:0")
        for n, id_ in enumerate(ids[:-1])
    ]
    await api.post(f"/flows/{flow}/segments", items)
    return flow, ids


@pytest.mark.parametrize(
    "query",
    [
        "",
        "verbose_storage=true",
        "include_object_timerange=true&verbose_storage=true",
        "accept_get_urls=",
        "accept_get_urls=elsewhere&verbose_storage=true",
        "presigned=false",
        "limit=2&reverse_order=true",
        "timerange=[1:0_2:0)",
        "timerange=()",
    ],
)
async def test_segments(store: Store, query: str) -> None:
    api = store.api
    flow, ids = await with_init_segments(store)
    elsewhere = {"get_urls": [{"url": "https://media.test/1", "label": "elsewhere"}]}
    away = words.segment(words.new_id(), 10, end=11, init_object_id=ids[-1], last_duration="0:40000000", **elsewhere)
    await api.post(f"/flows/{flow}/segments", away)
    for page in await api.pages(f"/flows/{flow}/segments?{query}"):
        assert int(page.headers["X-Paging-Count"]) == len(page.json())
        if "include_object_timerange" in query:
            assert all("object_timerange" in item for item in page.json())
    await api.head(f"/flows/{flow}/segments?{query}")


async def test_segments_that_are_refused_or_removed(store: Store, spec: Spec) -> None:
    api = store.api
    flow = await words.make_flow(api)
    await words.fill(api, flow, count=2)
    await api.post(f"/flows/{flow}/segments", spec.example("flow-segment-post"), expect=400)
    for items in ([words.segment("unknown", 0, end=1), {"object_id": "no time"}], [words.segment("other", 1, end=0)]):
        failed = (await api.post(f"/flows/{flow}/segments", items, expect=200)).json()["failed_segments"]
        assert len(failed) == len(items)
    await api.post(f"/flows/{flow}/segments", [5], expect=400)
    await api.post(f"/flows/{words.new_id()}/segments", words.segment("any", 0, end=1), expect=404)
    for query in ("timerange=x", "limit=0", "presigned=1", "accept_storage_ids=x", "verbose_storage=yes"):
        await api.get(f"/flows/{flow}/segments?{query}", expect=400)
        await api.head(f"/flows/{flow}/segments?{query}", expect=400)
    assert (await api.get(f"/flows/{words.new_id()}/segments")).json() == []
    await api.delete(f"/flows/{flow}/segments?timerange={escaped('[0:0_2:0)')}")
    await api.delete(f"/flows/{flow}/segments?timerange=x", expect=400)
    await api.delete(f"/flows/{words.new_id()}/segments", expect=404)


async def test_objects(store: Store) -> None:
    api = store.api
    flow, ids = await with_init_segments(store)
    for id_ in ids:
        for query in ("", "?verbose_storage=true", "?accept_get_urls=", "?limit=1"):
            shown = (await api.get(f"/objects/{id_}{query}")).json()
            assert shown["referenced_by_flows"] == [flow]
            assert ("timerange" in shown) == (id_ != ids[-1])
        await api.head(f"/objects/{id_}")
    await api.get(f"/objects/{ids[0]}?verbose_storage=yes", expect=400)
    await api.get("/objects/unknown", expect=404)
    await api.head("/objects/unknown", expect=404)


async def test_events(store: Store, spec: Spec) -> None:
    """Every kind of event that the store has sent so far, as a webhook would deliver it."""
    api = store.api
    flow = await words.make_flow(api)
    await api.put(f"/flows/{flow}/label", "label", expect=204)
    await words.fill(api, flow, count=3)
    source = (await api.get(f"/flows/{flow}")).json()["source_id"]
    await api.put(f"/sources/{source}/label", "label", expect=204)
    await api.delete(f"/flows/{flow}/segments")
    await api.delete(f"/flows/{flow}")
    validators = {name: spec.validator(_event_body(name)) for name in spec.document["webhooks"]}
    seen = set[str]()

    async def from_the_start(partitions: Sequence[Partition]) -> Offsets:
        return {}

    bus = SqliteBus(store.bus)
    await bus.open()
    consumer = await bus.consumer("test", ["tams.flows", "tams.sources", "tams.segments"], assigned=from_the_start)
    while seen != set(validators):
        for record in await consumer.poll(limit=1000, timeout=1):
            event = msgspec.json.decode(record.value)
            validators[event["event_type"]].validate(event)
            seen.add(event["event_type"])
    await consumer.close()
    await bus.close()


def _event_body(name: str) -> str:
    return f"#/webhooks/{name.replace('/', '~1')}/post/requestBody/content/application~1json/schema"
