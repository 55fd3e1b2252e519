"""Rules that hold for every path: kinds of bodies, queries, HEAD, and what a refusal looks like."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from tests.conformance import rule
from tests.system import words
from tests.system.api import Api
from tests.system.assemblies import in_memory

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATHS = (
    "/",
    "/service",
    "/service/storage-backends",
    "/service/profiles",
    "/service/webhooks",
    "/sources",
    "/sources/{source}",
    "/sources/{source}/tags",
    "/sources/{source}/tags/one",
    "/sources/{source}/description",
    "/sources/{source}/label",
    "/flows",
    "/flows/{flow}",
    "/flows/{flow}/tags",
    "/flows/{flow}/tags/one",
    "/flows/{flow}/description",
    "/flows/{flow}/label",
    "/flows/{flow}/read_only",
    "/flows/{flow}/flow_collection",
    "/flows/{flow}/max_bit_rate",
    "/flows/{flow}/avg_bit_rate",
    "/flows/{flow}/segments",
    "/objects/{object}",
)


class House:
    """A running store with one flow that has a segment."""

    def __init__(self, api: Api, flow: str, *, source: str, item: str) -> None:
        self.api = api
        self._names = {"flow": flow, "source": source, "object": item}

    def path(self, template: str) -> str:
        """A path with the ids of what is there."""
        return template.format(**self._names)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """The store, and what all paths need."""
    async with in_memory(Path(tmp_path_factory.mktemp("store"))) as api:
        flow, source = words.new_id(), words.new_id()
        body = words.video_flow(flow, source, label="a", description="b", tags={"one": "1"}, max_bit_rate=1)
        await api.put(f"/flows/{flow}", body, expect=201)
        await api.put(f"/sources/{source}/tags/one", "1", expect=204)
        (item,) = await words.fill(api, flow, count=1)
        yield House(api, flow, source=source, item=item)


@rule("GEN-1", "GEN-9", "GEN-10")
@pytest.mark.parametrize("template", PATHS)
async def test_answers_are_json_whatever_else_the_query_says(house: House, template: str) -> None:
    path = house.path(template)
    plain = await house.api.get(path)
    assert plain.headers["Content-Type"] == "application/json"
    msgspec.json.decode(plain.body)
    assert (await house.api.get(f"{path}?unknown=%20&another")).status == 200


@rule("HEAD-1", "HEAD-2", "HEAD-3", "HEAD-4")
@pytest.mark.parametrize("template", PATHS)
async def test_head_is_get_without_the_body(house: House, template: str) -> None:
    for path in (house.path(template), f"{house.path(template)}?limit=1"):
        get, head = await house.api.get(path), await house.api.head(path)
        assert head.body == b""
        apart = ("date", "x-request-id")
        shown = {name.lower(): value for name, value in get.headers.items() if name.lower() not in apart}
        assert {name.lower(): value for name, value in head.headers.items() if name.lower() not in apart} == shown


@rule("HEAD-5", "ERR-5", "AUTH-2")
@pytest.mark.parametrize("template", PATHS)
async def test_head_asks_for_the_credentials_that_get_asks_for(house: House, template: str) -> None:
    async with aiohttp.ClientSession() as session:
        for method in ("GET", "HEAD"):
            async with session.request(method, house.api.url + house.path(template)) as answer:
                assert answer.status == 401
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@rule("HEAD-6")
@pytest.mark.parametrize("template", ["/flows/{flow}/storage", "/objects/{object}/instances"])
async def test_what_cannot_be_got_has_no_head(house: House, template: str) -> None:
    answer = await house.api.head(house.path(template), expect=405)
    assert "GET" not in answer.headers["Allow"]


@rule("GEN-11", "GEN-12")
async def test_members_are_bare_values_and_204_has_no_body(house: House) -> None:
    for name, value in (("label", "text"), ("read_only", False), ("max_bit_rate", 5000), ("tags/x", ["a", "b"])):
        path = house.path("/flows/{flow}/") + name
        assert (await house.api.put(path, value, expect=204)).body == b""
        assert (await house.api.get(path)).json() == value
    await house.api.put(house.path("/flows/{flow}/label"), {"label": "text"}, expect=400)
    assert (await house.api.delete(house.path("/flows/{flow}/tags/x"))).body == b""


@rule("GEN-14")
async def test_filters_are_all_to_be_met(house: House) -> None:
    one = await words.make_flow(house.api, label="first", tags={"kind": "x"})
    other = await words.make_flow(house.api, label="second", tags={"kind": "x"})
    for query, found in (("tag_exists.kind=true", {one, other}), ("label=first", {one}), ("label=none", set())):
        shown = await house.api.all(f"/flows?{query}&tag.kind=x&format={words.VIDEO}")
        assert {flow["id"] for flow in shown} == found


@rule("ERR-1", "ERR-2", "ERR-4", "ERR-9")
@pytest.mark.parametrize(
    ("path", "status"), [("/flows?limit=x", 400), ("/flows/none", 404), ("/nothing", 404), ("/flows?page=x", 400)]
)
async def test_refusals_have_the_shape_of_the_specifications_errors(house: House, path: str, status: int) -> None:
    answer = await house.api.get(path, expect=status)
    problem = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {"type", "summary", "time", "message", "detail", "title", "status", "instance"} <= problem.keys()
    assert "traceback" not in problem


@rule("ERR-3")
async def test_failures_within_answers_are_errors_too(house: House) -> None:
    item = words.segment("elsewhere", 0, end=1)
    answer = await house.api.post(house.path("/flows/{flow}/segments"), [item], expect=200)
    (failed,) = answer.json()["failed_segments"]
    assert {"type", "summary", "time"} <= failed["error"].keys()


@rule("HEAD-7")
async def test_head_of_objects_and_segments_is_answered_without_bodies(house: House) -> None:
    answers = await asyncio.gather(
        *(house.api.head(house.path(path)) for path in ("/objects/{object}", "/flows/{flow}/segments"))
    )
    assert [answer.body for answer in answers] == [b"", b""]


async def test_lists_are_not_sent_again_to_those_who_have_them(house: House) -> None:
    for template in PATHS:
        path = house.path(template)
        tag = (await house.api.get(path)).headers["ETag"]
        again = await house.api.get(path, expect=304, headers={"If-None-Match": tag})
        assert again.body == b""


async def test_writers_may_ask_that_nothing_has_changed_meanwhile(house: House) -> None:
    api, flow = house.api, await words.make_flow(house.api, label="before")
    path = f"/flows/{flow}"
    body = words.video_flow(flow, words.new_id(), label="after")
    body["source_id"] = (await api.get(path)).json()["source_id"]
    hook = (await api.post("/service/webhooks", {"url": "https://127.0.0.1/", "events": []})).json()
    for target, changed in (
        (path, body),
        (f"{path}/label", "again"),
        (f"/service/webhooks/{hook['id']}", {**hook, "status": "disabled"}),
    ):
        tag = (await api.get(target)).headers["ETag"]
        await api.call("PUT", target, json=changed, headers={"If-Match": '"older"'}, expect=412)
        assert (await api.get(target)).headers["ETag"] == tag
        await api.call("PUT", target, json=changed, headers={"If-Match": tag}, expect=(201, 204))
        await api.call("PUT", target, json=changed, headers={"If-Match": tag}, expect=412)
    absent = words.new_id()
    body = words.video_flow(absent, words.new_id())
    await api.call("PUT", f"/flows/{absent}", json=body, headers={"If-Match": "*"}, expect=412)
    await api.get(f"/flows/{absent}", expect=404)
