"""What clients in use today rely on: each fact of the design's page on clients, as such a client meets it."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from tams_common.model.values import CHECKSUMS, READABLE
from tests.conformance import rule
from tests.system import words
from tests.system.api import Api, escaped
from tests.system.assemblies import in_this_process

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUBLIC = "https://media.test/tams/v8.2"
ORIGIN = {"Origin": "https://player.test"}
EXPOSED = {
    *("link", "location", "etag", "retry-after", "x-request-id", "content-range"),
    *("x-paging-limit", "x-paging-nextkey", "x-paging-count", "x-paging-reverse-order", "x-paging-timerange"),
    *(name.lower() for name in READABLE),
}
PROXIED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "media.test:8443", "X-Forwarded-Prefix": "/a/b/"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def public_api() -> AsyncIterator[Api]:
    """A store that is reached under another address than its own."""
    async with in_this_process({"TAMS_PUBLIC_URL": f"{PUBLIC}/"}) as api:
        yield api


@rule("GEN-18", "PAG-8")
async def test_link_begins_with_the_public_address_and_keeps_the_query(public_api: Api) -> None:
    flow = await words.make_flow(public_api)
    await words.fill(public_api, flow, count=3)
    query = "limit=2&accept_get_urls=a,b;c&timerange=[0:0_9:0)&ours=%C3%A9%2B%26&ours=2&access_token="
    page = await public_api.get(f"/flows/{flow}/segments?{query}")
    link = re.fullmatch(r'<([^<>,; "]+)>; rel="next"', page.headers["Link"])
    assert link is not None, page.headers["Link"]
    following = URL(link[1])
    assert link[1].startswith(f"{PUBLIC}/flows/{flow}/segments?")
    kept = [(name, value) for name, value in following.query.items() if name != "page"]
    assert kept == list(URL(f"/?{query}").query.items())
    assert following.query["page"] == page.headers["X-Paging-NextKey"]
    (last,) = (await public_api.get(link[1].removeprefix(PUBLIC))).json()
    assert last["timerange"] == "[4:0_6:0)"


async def test_media_urls_begin_with_the_public_address(public_api: Api) -> None:
    flow = await words.make_flow(public_api)
    (item,) = await words.allocate(public_api, flow, count=1)
    assert item["put_url"]["url"].startswith(f"{PUBLIC}/media/")
    await public_api.upload(item["put_url"] | {"url": item["put_url"]["url"].replace(PUBLIC, public_api.url)}, b"media")
    await public_api.post(f"/flows/{flow}/segments", words.segment(item["object_id"], 0, end=1))
    (segment,) = (await public_api.get(f"/flows/{flow}/segments")).json()
    assert segment["get_urls"][0]["url"].startswith(f"{PUBLIC}/media/")


@pytest.mark.parametrize(
    ("trusted", "begins"),
    [("127.0.0.0/8,::1/128", "https://media.test:8443/a/b/flows?"), ("10.0.0.0/8", "http://127.0.0.1:")],
)
async def test_link_begins_as_a_trusted_proxy_says(trusted: str, begins: str) -> None:
    async with in_this_process({"TAMS_API_GATEWAY_TRUSTED_PROXIES": trusted}) as api:
        for _ in range(2):
            await words.make_flow(api)
        page = await api.get("/flows?limit=1", headers=PROXIED)
        assert page.next is not None
        assert page.next.startswith(begins)


@rule("AUTH-4", "GEN-9", "PAG-8")
async def test_the_token_stays_in_link_only_where_the_url_brought_it(memory_api: Api) -> None:
    for _ in range(2):
        await words.make_flow(memory_api)
    assert "access_token" not in (await memory_api.get("/flows?limit=1")).headers["Link"]
    async with aiohttp.ClientSession() as session:
        url = f"{memory_api.url}/flows?limit=1&access_token={memory_api.token}"
        async with session.get(url) as first:
            following = first.headers["Link"][1:].partition(">")[0]
        assert f"access_token={memory_api.token}" in following
        async with session.get(URL(following, encoded=True)) as second:
            assert second.status == 200


@rule("PAG-2", "PAG-3", "PAG-4", "PAG-16")
async def test_limits(memory_api: Api) -> None:
    flow = await words.make_flow(memory_api)
    (object_id,) = await words.fill(memory_api, flow, count=1)
    lists = ("/flows", "/sources", f"/flows/{flow}/segments", "/service/storage-backends")
    for path in lists:
        assert (await memory_api.get(path)).headers["X-Paging-Limit"] == "30"
    for path in (*lists, f"/objects/{object_id}"):
        assert (await memory_api.get(f"{path}?limit=300")).headers["X-Paging-Limit"] == "300"
        for huge in (10**6, 10**30):
            assert int((await memory_api.get(f"{path}?limit={huge}")).headers["X-Paging-Limit"]) >= 300


@rule("GEN-10")
async def test_date_times_are_whole_seconds(memory_api: Api) -> None:
    flow = await words.make_flow(memory_api)
    shown = (await memory_api.get(f"/flows/{flow}")).json()
    source = (await memory_api.get(f"/sources/{shown['source_id']}")).json()
    for moment in (shown["created"], shown["metadata_updated"], source["created"], source["updated"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment)


@rule("STO-8", "STO-14")
async def test_uploads_need_the_content_type_and_nothing_else(memory_api: Api) -> None:
    flow = await words.make_flow(memory_api, container="video/mp4")
    (item,) = await words.allocate(memory_api, flow, count=1)
    put_url = item["put_url"]
    assert put_url["content-type"] == "video/mp4"
    assert set(put_url) == {"url", "content-type"}
    wrong = {"Content-Type": "video/mp2t", "Authorization": ""}
    await memory_api.call("PUT", put_url["url"], data=b"media", headers=wrong, expect=403)
    await memory_api.upload(put_url, b"media")


@rule("URL-12")
async def test_urls_are_presigned_unless_none_are_wanted(memory_api: Api) -> None:
    flow = await words.make_flow(memory_api)
    await words.fill(memory_api, flow, count=1)
    (segment,) = (await memory_api.get(f"/flows/{flow}/segments")).json()
    assert [url["presigned"] for url in segment["get_urls"]] == [True]
    (bare,) = (await memory_api.get(f"/flows/{flow}/segments?accept_get_urls=")).json()
    assert not bare.get("get_urls")


@rule("GEN-17", "INT-3")
async def test_browsers_upload_and_play(memory_api: Api) -> None:
    """Preflight and request of each step, from a page of another origin, without credentials on media."""
    flow = await words.make_flow(memory_api)
    (item,) = await words.allocate(memory_api, flow, count=1)
    put_url, data = item["put_url"], b"0123456789"
    sha = base64.b64encode(hashlib.sha256(data).digest()).decode()
    await preflight(memory_api, put_url["url"], method="PUT", headers=",".join(("content-type", *CHECKSUMS)))
    upload = ORIGIN | {"Content-Type": put_url["content-type"], "x-amz-checksum-sha256": sha, "Authorization": ""}
    stored = await memory_api.call("PUT", put_url["url"], data=data, headers=upload)
    assert stored.headers["Access-Control-Allow-Origin"] == "*"
    path = f"{memory_api.url}/flows/{flow}/segments"
    await preflight(memory_api, path, method="POST", headers="authorization,content-type,idempotency-key")
    await memory_api.post(f"/flows/{flow}/segments", words.segment(item["object_id"], 0, end=1))
    (segment,) = (await memory_api.get(f"/flows/{flow}/segments", headers=ORIGIN)).json()
    url = segment["get_urls"][0]["url"]
    await preflight(memory_api, url, method="GET", headers="range,if-range")
    part = await memory_api.download(url, headers=ORIGIN | {"Range": "bytes=2-4"})
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")
    head = await memory_api.call("HEAD", url, headers=ORIGIN)
    assert head.headers["Content-Length"] == "10"
    assert [answer.headers["x-amz-checksum-sha256"] for answer in (stored, part, head)] == [sha] * 3
    for answer in (stored, part, head, await memory_api.get("/flows", headers=ORIGIN)):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        exposed = {name.strip().lower() for name in answer.headers["Access-Control-Expose-Headers"].split(",")}
        assert exposed >= EXPOSED


async def preflight(api: Api, url: str, *, method: str, headers: str) -> None:
    """What a browser asks before it sends `method` with `headers` to another origin; it has no credentials then."""
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers, "Authorization": ""}
    answer = await api.call("OPTIONS", url, headers=ORIGIN | asked, expect=(200, 204))
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert method in answer.headers["Access-Control-Allow-Methods"].split(", ")
    allowed = {name.strip().lower() for name in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert allowed >= set(headers.split(","))


async def test_a_resumed_ingest_reads_that_its_objects_already_exist(memory_api: Api) -> None:
    flow, object_id = await words.make_flow(memory_api), words.new_id()
    await memory_api.post(f"/flows/{flow}/storage", {"object_ids": [object_id]})
    again = await memory_api.call("POST", f"/flows/{flow}/storage", json={"object_ids": [object_id]}, expect=400)
    assert "already exist" in again.json()["message"]
    await memory_api.post(f"/flows/{flow}/segments", words.segment(object_id, 0, end=1))
    again = await memory_api.call("POST", f"/flows/{flow}/storage", json={"object_ids": [object_id]}, expect=400)
    assert "already exist" in again.json()["message"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [("0:0_1:0", "[0:0_1:0]"), ("[0:0_1:0)", "[0:0_1:0)"), ("0:0", "[0:0]"), ("[0:0_0:0]", "[0:0]")],
)
async def test_timeranges_show_both_bounds(memory_api: Api, written: str, shown: str) -> None:
    flow = await words.make_flow(memory_api)
    (item,) = await words.allocate(memory_api, flow, count=1)
    await memory_api.post(f"/flows/{flow}/segments", {"object_id": item["object_id"], "timerange": written})
    page = await memory_api.get(f"/flows/{flow}/segments?include_object_timerange=true")
    (segment,) = page.json()
    assert segment["timerange"] == segment["object_timerange"] == page.headers["X-Paging-Timerange"] == shown
    assert (await memory_api.get(f"/flows/{flow}?include_timerange=true")).json()["timerange"] == shown
    assert (await memory_api.get(f"/objects/{escaped(item['object_id'])}")).json()["timerange"] == shown


async def test_an_idempotency_key_is_accepted(memory_api: Api) -> None:
    flow = words.new_id()
    key = {"Idempotency-Key": words.new_id()}
    body = words.video_flow(flow, words.new_id(), max_bit_rate=5000, avg_bit_rate=4000)
    await memory_api.call("PUT", f"/flows/{flow}", json=body, headers=key, expect=201)
    await memory_api.call("PUT", f"/flows/{flow}", json=body, headers=key, expect=204)
    shown = (await memory_api.get(f"/flows/{flow}")).json()
    assert (shown["max_bit_rate"], shown["avg_bit_rate"]) == (5000, 4000)
