"""`/media/{key}`: bytes in and out by signed URLs (URL-10)."""

import pytest

from tests.conformance import rule
from tests.segments.rig import FLOW, Rig, segment

TS = {"content-type": "video/mp2t"}
MEDIA = b"0123456789"


async def put_url(rig: Rig, name: str = "a/b") -> str:
    answer = await rig.client.post(f"/flows/{FLOW}/storage", {"object_ids": [name]})
    return str(answer.json()["media_objects"][0]["put_url"]["url"])


@pytest.fixture
async def url(rig: Rig) -> str:
    """Where to get what has been uploaded and registered."""
    await rig.client.send("PUT", await put_url(rig), body=MEDIA, headers=TS, expect=200)
    await rig.client.post(f"/flows/{FLOW}/segments", segment("a/b", "[0:0_1:0)"))
    (item,) = (await rig.client.get(f"/flows/{FLOW}/segments")).json()
    return str(item["get_urls"][0]["url"])


@rule("URL-1", "URL-10")
async def test_what_was_uploaded_is_downloaded(rig: Rig, url: str) -> None:
    answer = await rig.client.get(url)
    assert answer.body == MEDIA
    assert answer.headers["content-type"] == "video/mp2t"
    assert answer.headers["content-length"] == "10"
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = await rig.client.head(url)
    assert head.headers == answer.headers
    tag = answer.headers["etag"]
    assert (await rig.client.get(url, headers={"if-none-match": f'"x", W/{tag}'}, expect=304)).body == b""


@rule("URL-10")
@pytest.mark.parametrize(
    ("wanted", "part", "shown"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=8-", b"89", "bytes 8-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=5-999", b"56789", "bytes 5-9/10"),
    ],
)
async def test_parts(rig: Rig, url: str, wanted: str, part: bytes, shown: str) -> None:
    answer = await rig.client.get(url, headers={"range": wanted}, expect=206)
    assert (answer.body, answer.headers["content-range"]) == (part, shown)
    assert answer.headers["content-length"] == str(len(part))


@pytest.mark.parametrize("wanted", ["bytes=1-2,4-5", "bytes=5-2", "bytes=x", "items=0-1", "bytes=-"])
async def test_a_range_that_is_none_is_the_whole(rig: Rig, url: str, wanted: str) -> None:
    assert (await rig.client.get(url, headers={"range": wanted})).body == MEDIA


async def test_a_range_beyond_the_end_and_one_of_another_version(rig: Rig, url: str) -> None:
    answer = await rig.client.get(url, headers={"range": "bytes=10-"}, expect=416)
    assert answer.headers["content-range"] == "bytes */10"
    assert (await rig.client.get(url, headers={"range": "bytes=0-1", "if-range": '"x"'})).body == MEDIA


@pytest.mark.parametrize("send", ["GET", "HEAD"])
async def test_conditions(rig: Rig, url: str, send: str) -> None:
    answer = await rig.client.head(url)
    tag, date = answer.headers["etag"], answer.headers["last-modified"]
    for headers, status in (
        ({"if-none-match": "*"}, 304),
        ({"if-modified-since": date}, 304),
        ({"if-match": tag, "if-unmodified-since": date}, 200),
        ({"if-match": '"x"', "range": "bytes=10-"}, 412),
    ):
        found = await rig.client.send(send, url, headers=headers, expect=status)
        assert status != 304 or (found.headers["etag"], found.body) == (tag, b"")
    for version in (tag, date):
        headers = {"range": "bytes=0-1", "if-range": version}
        assert (await rig.client.get(url, headers=headers, expect=206)).body == MEDIA[:2]


@rule("URL-9", "SGP-24")
async def test_a_url_permits_what_it_was_signed_for_and_no_more(rig: Rig, url: str) -> None:
    put = await put_url(rig, "new")
    await rig.client.get(put, expect=403)
    await rig.client.send("PUT", url, body=b"x", headers=TS, expect=403)
    await rig.client.send("PUT", put, body=b"x", headers={"content-type": "text/html"}, expect=403)
    await rig.client.send("PUT", put, body=b"x", expect=403)
    await rig.client.get(url.partition("?")[0], expect=403)
    await rig.client.get(url[:-1] + ("A" if url[-1] != "A" else "B"), expect=403)
    rig.clock.advance(seconds=3600)
    await rig.client.get(url, expect=403)


async def test_nothing_uploaded_is_404(rig: Rig) -> None:
    await rig.allocate("empty")
    await rig.client.post(f"/flows/{FLOW}/segments", segment("empty", "[0:0_1:0)"))
    (item,) = (await rig.client.get(f"/flows/{FLOW}/segments")).json()
    await rig.client.get(item["get_urls"][0]["url"], expect=404)
    await rig.client.head(item["get_urls"][0]["url"], expect=404)


@rule("INT-3")
async def test_a_wrong_checksum_stores_nothing(rig: Rig) -> None:
    put = await put_url(rig, "sum")
    headers = TS | {"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    answer = await rig.client.send("PUT", put, body=MEDIA, headers=headers, expect=400)
    assert answer.json()["field"] == "content-md5"


@pytest.mark.parametrize("header", [("content-range", "bytes 0-4/10"), ("content-encoding", "gzip")])
async def test_a_body_that_is_not_the_object_itself_is_refused(rig: Rig, header: tuple[str, str]) -> None:
    put = await put_url(rig, "part")
    answer = await rig.client.send("PUT", put, body=MEDIA, headers=TS | dict([header]), expect=400)
    assert answer.json()["field"] == header[0]
    await rig.client.send("PUT", put, body=MEDIA, headers=TS | {"content-encoding": "identity"}, expect=200)


async def test_an_empty_object_is_an_object(rig: Rig) -> None:
    await rig.client.send("PUT", await put_url(rig, "none"), headers=TS, expect=200)
    await rig.client.post(f"/flows/{FLOW}/segments", segment("none", "[0:0_1:0)"))
    (item,) = (await rig.client.get(f"/flows/{FLOW}/segments")).json()
    answer = await rig.client.get(item["get_urls"][0]["url"])
    assert (answer.body, answer.headers["content-length"]) == (b"", "0")
