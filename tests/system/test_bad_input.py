"""Bad input gets a clear 4xx that names the field; nothing is written."""

import io
from typing import Any

import aiohttp
import pytest

from tests.conformance import rule
from tests.system import words
from tests.system.api import Answer, Api, escaped

JSON = {"Content-Type": "application/json"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


def problem(answer: Answer) -> dict[str, Any]:
    """The problem of an answer, checked for its form."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status
    assert body["detail"]
    assert body["message"]
    assert {"type", "title", "instance", "summary", "time"} <= set(body)
    return body


FLOW_CASES = [
    (b"{", "JSON"),
    (b"", "body"),
    (b"[]", "object"),
    (b'{"id": "\xff"}', "UTF-8"),
    (b"[" * 100_000, ""),
    (b'{"a":' * 50_000, ""),
    (b'{"format": "urn:x-nmos:format:smell"}', "format"),
]


@rule("GEN-13", "GEN-19")
@pytest.mark.parametrize(("body", "named"), FLOW_CASES)
async def test_bodies_that_are_no_flow(memory_api: Api, body: bytes, named: str) -> None:
    flow = words.new_id()
    answer = await memory_api.call("PUT", f"/flows/{flow}", data=body, headers=JSON, expect=400)
    assert named in problem(answer)["detail"]
    await memory_api.get(f"/flows/{flow}", expect=404)


FIELD_CASES: list[tuple[dict[str, object], str]] = [
    ({"source_id": "nonsense"}, "source_id"),
    ({"source_id": 5}, "source_id"),
    ({"generation": -1}, "generation"),
    ({"max_bit_rate": "fast"}, "max_bit_rate"),
    ({"tags": {"a": 1}}, "tags"),
    ({"codec": "h264"}, "codec"),
    ({"status": "sleeping"}, "status"),
    ({"essence_parameters": {"frame_width": 0, "frame_height": 1, "frame_rate": {"numerator": 25}}}, "frame_width"),
    ({"essence_parameters": {"frame_width": 1, "frame_height": 1}}, "frame_rate"),
    ({"essence_parameters": {"frame_width": True, "frame_height": 1}}, "frame_width"),
    ({"flow_collection": [{"role": "video"}]}, "flow_collection"),
]


@pytest.mark.parametrize(("change", "named"), FIELD_CASES)
async def test_the_problem_names_the_field(memory_api: Api, change: dict[str, object], named: str) -> None:
    flow = words.new_id()
    answer = await memory_api.put(f"/flows/{flow}", words.video_flow(flow, words.new_id()) | change, expect=400)
    assert named in problem(answer)["detail"]
    await memory_api.get(f"/flows/{flow}", expect=404)


async def test_nan_is_no_number(memory_api: Api) -> None:
    flow = words.new_id()
    answer = await memory_api.call("PUT", f"/flows/{flow}", data=b'{"generation": NaN}', headers=JSON, expect=400)
    assert "JSON" in problem(answer)["detail"]


SEGMENT_CASES: list[tuple[dict[str, object], str]] = [
    ({"timerange": "nonsense"}, "timerange"),
    ({"timerange": "_"}, "timerange"),
    ({"timerange": "(0:0_1:0)"}, "timerange"),
    ({"timerange": "[0:0_0:0)"}, "timerange"),
    ({"timerange": "[0:0_99999999999999:0)"}, "timerange"),
    ({"timerange": 5}, "timerange"),
    ({"object_id": 5}, "object_id"),
    ({"ts_offset": "1.5"}, "ts_offset"),
    ({"last_duration": "-1:0"}, "last_duration"),
    ({"key_frame_count": "many"}, "key_frame_count"),
]


@pytest.mark.parametrize(("change", "named"), SEGMENT_CASES)
async def test_a_bad_segment_is_refused_alone_and_in_a_list(
    memory_api: Api, change: dict[str, object], named: str
) -> None:
    flow = await words.make_flow(memory_api)
    (item,) = await words.allocate(memory_api, flow, count=1)
    bad = words.segment(item["object_id"], 0, end=1) | change
    answer = await memory_api.post(f"/flows/{flow}/segments", bad, expect=400)
    assert named in problem(answer)["detail"]
    listed = await memory_api.call("POST", f"/flows/{flow}/segments", json=[bad], expect=(200, 400))
    assert named in listed.body.decode()
    assert (await memory_api.get(f"/flows/{flow}/segments")).json() == []
    await memory_api.get(f"/objects/{escaped(item['object_id'])}", expect=404)


@pytest.mark.parametrize("path", ["/flows/%ZZ", "/flows/%", "/flows/%ff", "/objects/%c3%28", "/flows?label=%ff"])
async def test_bad_percent_encoding_and_utf8(memory_api: Api, path: str) -> None:
    problem(await memory_api.get(path, expect=400))


@rule("GEN-7", "GEN-8")
@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=ten", "page=forged", "timerange=nonsense", "reverse_order=maybe"]
)
async def test_bad_queries_name_the_parameter(memory_api: Api, query: str) -> None:
    flow = await words.make_flow(memory_api)
    answer = await memory_api.get(f"/flows/{flow}/segments?{query}", expect=400)
    assert query.split("=")[0] in problem(answer)["detail"]


@rule("GEN-4")
@pytest.mark.parametrize("flow", ["nonsense", "A" * 36, "00000000-0000-0000-0000-000000000000", "..", "%2e%2e"])
async def test_ids_that_are_no_ids_are_not_found(memory_api: Api, flow: str) -> None:
    for suffix in ("", "/segments"):
        problem(await memory_api.get(f"/flows/{flow}{suffix}", expect=404))


@rule("GEN-6")
@pytest.mark.parametrize("object_id", ["a/b", "../../etc/passwd", "instances", "a/instances", "%2F", "ü 🎬", "a?b#c"])
async def test_object_ids_may_be_anything(memory_api: Api, object_id: str) -> None:
    flow = await words.make_flow(memory_api)
    (item,) = (await memory_api.post(f"/flows/{flow}/storage", {"object_ids": [object_id]})).json()["media_objects"]
    assert item["object_id"] == object_id
    await memory_api.upload(item["put_url"], b"media")
    await memory_api.post(f"/flows/{flow}/segments", words.segment(object_id, 0, end=1))
    found = (await memory_api.get(f"/objects/{escaped(object_id)}")).json()
    assert found["id"] == object_id
    assert found["referenced_by_flows"] == [flow]
    (segment,) = (await memory_api.get(f"/flows/{flow}/segments?object_id={escaped(object_id)}")).json()
    assert (await memory_api.download(segment["get_urls"][0]["url"])).body == b"media"


async def test_ten_megabytes_of_metadata_are_too_much(memory_api: Api) -> None:
    flow = words.new_id()
    body = b'{"label": "' + b"x" * 10_000_000 + b'"}'
    answer = await memory_api.call("PUT", f"/flows/{flow}", data=io.BytesIO(body), headers=JSON, expect=413)
    assert "bytes" in problem(answer)["detail"]


async def test_a_flow_of_more_than_100_kib_is_refused(memory_api: Api) -> None:
    flow = words.new_id()
    body = words.video_flow(flow, words.new_id(), description="x" * 110_000)
    problem(await memory_api.put(f"/flows/{flow}", body, expect=400))
    await memory_api.get(f"/flows/{flow}", expect=404)


@rule("AUTH-2", "ERR-5")
async def test_credentials(memory_api: Api) -> None:
    async with Api(memory_api.url, "wrong") as stranger:
        answer = await stranger.get("/flows", expect=401)
        assert "WWW-Authenticate" in answer.headers
        problem(answer)
        await stranger.get("/healthz")
        await stranger.get("/readyz")
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{memory_api.url}/flows?access_token={memory_api.token}") as by_url:
            assert by_url.status == 200
        async with session.get(f"{memory_api.url}/flows") as anonymous:
            assert anonymous.status == 401


@rule("GEN-3")
async def test_unknown_paths_and_methods(memory_api: Api) -> None:
    problem(await memory_api.get("/nowhere", expect=404))
    answer = await memory_api.call("POST", "/flows", data=b"{}", expect=405)
    assert "GET" in answer.headers["Allow"]
    await memory_api.get("/internal/flows/x/facts", expect=404)
