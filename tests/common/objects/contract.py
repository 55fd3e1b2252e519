"""What every storage backend promises, tried as clients do: over HTTP, by the URLs that the adapter signs."""

import base64
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import aiohttp
import msgspec
import pytest
from yarl import URL

from tams_common.errors import Unavailable
from tams_common.objects import Objects
from tests.conformance import rule

TS = "video/mp2t"
LIFETIME = 300
"""What the backends under test promise for their URLs, in seconds."""
KEYS = ["plain", "a/b+c", "ümlaut %2F", "a b?c#d&e=f", "日本/🎬 'x'~(1)!*", "-._~%41"]


class Reply(msgspec.Struct, frozen=True):
    """The answer of a backend."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Place(ABC):
    """A backend that runs, and what a test needs of it."""

    objects: Objects
    base_url: str = ""
    heads: bool = True
    """Whether a URL for GET is also good for HEAD: S3 signs for one method."""
    answers: bool = True
    """Whether it is still there to answer when it has broken down."""

    @abstractmethod
    async def break_down(self) -> None:
        """Takes away what the backend rests on."""

    @abstractmethod
    async def earlier(self, seconds: int) -> Objects:
        """The same backend for somebody whose clock is `seconds` slow."""


async def call(method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
    """One request without credentials: the URL has to do."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, URL(url, encoded=True), data=body, headers=headers) as answer,
    ):
        return Reply(answer.status, answer.headers.copy(), await answer.read())


async def put(place: Place, key: str, *, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
    """Uploads by a signed URL, with exactly the content type that it was signed for."""
    url = place.objects.signer(place.base_url).put_url(key, TS)
    return await call("PUT", url, body=body, headers={"Content-Type": TS, **(headers or {})})


async def get(place: Place, key: str, *, headers: Mapping[str, str] | None = None) -> Reply:
    """Downloads by a signed URL."""
    return await call("GET", place.objects.signer(place.base_url).get_url(key), headers=headers)


class ObjectsContract:
    """To be inherited with a fixture `place`."""

    @pytest.mark.parametrize("key", KEYS)
    async def test_what_goes_in_comes_out(self, place: Place, key: str) -> None:
        assert await place.objects.head(key) is None
        assert (await put(place, key, body=b"media")).status == 200
        reply = await get(place, key)
        assert (reply.status, reply.body, reply.headers["Content-Type"]) == (200, b"media", TS)
        info = await place.objects.head(key)
        assert info is not None
        assert (info.size, info.content_type) == (5, TS)
        assert reply.headers["ETag"] == f'"{info.etag}"'

    async def test_a_second_upload_replaces_the_first(self, place: Place) -> None:
        await put(place, "k", body=b"first")
        await put(place, "k", body=b"second, longer")
        assert (await get(place, "k")).body == b"second, longer"

    async def test_head_tells_the_length(self, place: Place) -> None:
        await put(place, "k", body=b"media")
        reply = await call("HEAD", place.objects.signer(place.base_url).get_url("k"))
        assert reply.status == (200 if place.heads else 403)
        if place.heads:
            assert (reply.headers["Content-Length"], reply.body) == ("5", b"")

    @pytest.mark.parametrize(
        ("asked", "part", "said"),
        [
            ("bytes=2-4", b"234", "bytes 2-4/10"),
            ("bytes=7-", b"789", "bytes 7-9/10"),
            ("bytes=8-100", b"89", "bytes 8-9/10"),
            ("bytes=-3", b"789", "bytes 7-9/10"),
        ],
    )
    async def test_ranges(self, place: Place, *, asked: str, part: bytes, said: str) -> None:
        await put(place, "k", body=b"0123456789")
        reply = await get(place, "k", headers={"Range": asked})
        assert (reply.status, reply.body, reply.headers["Content-Range"]) == (206, part, said)

    async def test_a_range_beyond_the_end(self, place: Place) -> None:
        await put(place, "k", body=b"0123456789")
        reply = await get(place, "k", headers={"Range": "bytes=10-"})
        assert (reply.status, reply.headers["Content-Range"]) == (416, "bytes */10")

    async def test_if_none_match(self, place: Place) -> None:
        await put(place, "k", body=b"media")
        tag = (await get(place, "k")).headers["ETag"]
        reply = await get(place, "k", headers={"If-None-Match": tag})
        assert (reply.status, reply.body) == (304, b"")

    async def test_an_upload_of_many_pieces(self, place: Place) -> None:
        body = bytes(range(256)) * 20_000
        assert (await put(place, "big", body=body)).status == 200
        assert (await get(place, "big")).body == body

    @rule("INT-2", "INT-3", "STO-20")
    async def test_a_wrong_checksum_is_refused_and_changes_nothing(self, place: Place) -> None:
        def checksum(data: bytes) -> dict[str, str]:
            return {"Content-MD5": base64.b64encode(hashlib.md5(data).digest()).decode()}

        assert (await put(place, "k", body=b"media", headers=checksum(b"media"))).status == 200
        assert (await put(place, "k", body=b"other", headers=checksum(b"media"))).status == 400
        assert (await get(place, "k")).body == b"media"

    async def test_a_url_permits_only_what_it_was_signed_for(self, place: Place) -> None:
        await put(place, "k", body=b"media")
        signer = place.objects.signer(place.base_url)
        reading, writing = signer.get_url("k"), signer.put_url("k", TS)
        assert (await call("PUT", reading, body=b"x", headers={"Content-Type": TS})).status == 403
        assert (await call("GET", writing)).status == 403
        assert (await call("PUT", writing, body=b"x", headers={"Content-Type": "text/html"})).status == 403
        assert (await call("GET", reading.partition("?")[0])).status == 403
        forged = signer.get_url("other").replace("other", "k")
        assert (await call("GET", forged)).status == 403
        assert (await get(place, "k")).body == b"media"

    @pytest.mark.parametrize("change", [("xpires=", "xpires=1"), ("ignature=", "ignature=0"), ("/k?", "/K?")])
    async def test_a_url_that_was_changed_is_refused(self, place: Place, change: tuple[str, str]) -> None:
        await put(place, "k", body=b"media")
        url = place.objects.signer(place.base_url).get_url("k")
        changed = url.replace(*change)
        assert changed != url
        assert (await call("GET", changed)).status == 403
        assert (await call("GET", url)).status == 200

    @rule("URL-2", "URL-9", "STO-14", "TMO-5")
    async def test_urls_work_as_long_as_promised_and_then_no_more(self, place: Place) -> None:
        assert (await put(place, "k", body=b"media")).status == 200
        good, ended = await place.earlier(LIFETIME), await place.earlier(LIFETIME + 300)
        for objects, status in ((good, 200), (ended, 403)):
            signer = objects.signer(place.base_url)
            assert (await call("GET", signer.get_url("k"))).status == status
            url = signer.put_url("k", TS)
            assert (await call("PUT", url, body=b"media", headers={"Content-Type": TS})).status == status

    async def test_what_was_never_uploaded_is_not_found(self, place: Place) -> None:
        assert (await get(place, "nothing")).status == 404

    async def test_deletion_is_final_and_may_be_repeated(self, place: Place) -> None:
        await put(place, "k", body=b"media")
        await place.objects.delete("k")
        await place.objects.delete("k")
        assert await place.objects.head("k") is None
        assert (await get(place, "k")).status == 404

    async def test_equal_pages_have_equal_urls(self, place: Place) -> None:
        first, second = (place.objects.signer(place.base_url) for _ in range(2))
        assert first.get_url("k") == first.get_url("k")
        assert first.get_url("k") != first.get_url("l")
        assert first.get_url("k").partition("?")[0] == second.get_url("k").partition("?")[0]

    @pytest.mark.parametrize(
        "step", [lambda objects: objects.head("k"), lambda objects: objects.delete("k")], ids=["head", "delete"]
    )
    async def test_a_backend_that_is_down_is_unavailable(
        self, place: Place, step: Callable[[Objects], Coroutine[Any, Any, object]]
    ) -> None:
        await put(place, "k", body=b"media")
        await place.break_down()
        with pytest.raises(Unavailable):
            await step(place.objects)
        if place.answers:
            assert (await put(place, "k", body=b"media")).status == 503
            assert (await get(place, "k")).status == 503
