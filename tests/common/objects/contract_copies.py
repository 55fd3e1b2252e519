"""What every backend promises to those who move bytes between backends, list them, or prepare the place."""

import hashlib
import random
from collections.abc import AsyncIterator

import pytest

from tams_common.clock import SECOND, system_clock
from tams_common.errors import InvalidInput, NotFound, PreconditionFailed, Unavailable
from tams_common.objects import Copies, Lists, Upload
from tams_common.objects.port import Owner, Prepares
from tests.common.objects.contract import TS, Place, get, put

MIB = 1024 * 1024


def media(size: int) -> bytes:
    """Bytes that do not repeat."""
    return random.Random(size).randbytes(size)


async def write(copies: Copies, key: str, *, data: bytes) -> Upload:
    """Writes every part, and leaves it there."""
    upload = await copies.begin(key, content_type=TS, size=len(data))
    for at in range(0, max(1, len(data)), upload.part_size):
        await copies.append(upload, data[at : at + upload.part_size], at=at)
    return upload


async def whole(body: AsyncIterator[bytes]) -> bytes:
    """All that comes."""
    return b"".join([data async for data in body])


def copies_of(place: Place) -> Copies:
    """The backend as one that copies."""
    assert isinstance(place.objects, Copies)
    return place.objects


class CopiesContract:
    """To be inherited with a fixture `place`."""

    @pytest.mark.parametrize("size", [0, 5, 16 * MIB, 33 * MIB + 1], ids=str)
    async def test_what_is_written_in_parts_is_like_an_upload(self, place: Place, size: int) -> None:
        data, copies = media(size), copies_of(place)
        upload = await write(copies, "a/b c", data=data)
        info = await copies.complete(upload)
        assert (info.size, info.content_type) == (size, TS)
        assert await place.objects.head("a/b c") == info
        reply = await get(place, "a/b c")
        assert (reply.status, reply.headers["Content-Type"], reply.headers["ETag"]) == (200, TS, f'"{info.etag}"')
        assert hashlib.sha256(reply.body).digest() == hashlib.sha256(data).digest()

    async def test_completing_may_be_repeated(self, place: Place) -> None:
        copies = copies_of(place)
        for size in (5, 17 * MIB):
            upload = await write(copies, "k", data=media(size))
            assert await copies.complete(upload) == await copies.complete(upload)

    async def test_another_process_goes_on_where_the_last_one_stopped(self, place: Place) -> None:
        data, copies = media(40 * MIB), copies_of(place)
        upload = await copies.begin("k", content_type=TS, size=len(data))
        assert await copies.arrived(upload) == 0
        for at in (0, upload.part_size):
            await copies.append(upload, data[at : at + upload.part_size], at=at)
        assert await place.objects.head("k") is None
        other = await place.earlier(0)
        assert isinstance(other, Copies)
        at = await other.arrived(upload)
        assert at == 2 * upload.part_size
        await other.append(upload, data[upload.part_size : at], at=upload.part_size)
        await other.append(upload, data[at:], at=at)
        assert await other.arrived(upload) == len(data)
        info = await other.complete(upload)
        assert await whole(copies.read("k", first=0, etag=info.etag)) == data

    async def test_what_is_not_whole_is_not_seen(self, place: Place) -> None:
        copies = copies_of(place)
        upload = await copies.begin("k", content_type=TS, size=40 * MIB)
        await copies.append(upload, media(upload.part_size), at=0)
        with pytest.raises(InvalidInput, match=f"{upload.part_size} of {upload.size} bytes have arrived"):
            await copies.complete(upload)
        assert await place.objects.head("k") is None

    async def test_an_upload_that_was_given_up_is_gone(self, place: Place) -> None:
        copies = copies_of(place)
        upload = await copies.begin("k", content_type=TS, size=40 * MIB)
        await copies.append(upload, media(upload.part_size), at=0)
        await copies.abort(upload)
        await copies.abort(upload)
        assert await place.objects.head("k") is None
        with pytest.raises(NotFound):
            await copies.complete(upload)

    @pytest.mark.parametrize("size", [0, 5, 17 * MIB], ids=str)
    async def test_an_upload_that_is_complete_cannot_be_given_up(self, place: Place, size: int) -> None:
        data, copies = media(size), copies_of(place)
        info = await copies.complete(upload := await write(copies, "k", data=data))
        await copies.abort(upload)
        assert await copies.complete(upload) == info
        assert await whole(copies.read("k", first=0, etag=info.etag)) == data

    async def test_what_comes_after_all_is_complete_changes_nothing(self, place: Place) -> None:
        data, copies = media(17 * MIB), copies_of(place)
        info = await copies.complete(upload := await write(copies, "k", data=data))
        for at in (0, upload.part_size):
            with pytest.raises(NotFound):
                await copies.append(upload, bytes(min(upload.part_size, upload.size - at)), at=at)
        assert await copies.complete(upload) == info
        assert await whole(copies.read("k", first=0, etag=info.etag)) == data

    async def test_an_upload_of_parts_that_was_given_up_says_so(self, place: Place) -> None:
        copies = copies_of(place)
        upload = await copies.begin("k", content_type=TS, size=40 * MIB)
        await copies.abort(upload)
        with pytest.raises(NotFound):
            await copies.arrived(upload)
        with pytest.raises(NotFound):
            await copies.append(upload, media(upload.part_size), at=0)

    async def test_reading_begins_anywhere_and_streams(self, place: Place) -> None:
        data = media(3 * MIB)
        await put(place, "k", body=data)
        info = await place.objects.head("k")
        assert info is not None
        parts = [part async for part in copies_of(place).read("k", first=MIB + 1, etag=info.etag)]
        assert b"".join(parts) == data[MIB + 1 :]
        assert max(map(len, parts)) <= MIB
        assert await whole(copies_of(place).read("k", first=0, etag=info.etag)) == data

    async def test_reading_insists_on_one_version(self, place: Place) -> None:
        await put(place, "k", body=b"first")
        info = await place.objects.head("k")
        assert info is not None
        await put(place, "k", body=b"second")
        with pytest.raises(PreconditionFailed):
            await whole(copies_of(place).read("k", first=0, etag=info.etag))
        with pytest.raises(NotFound):
            await whole(copies_of(place).read("nothing", first=0, etag=info.etag))

    async def test_an_empty_object_has_nothing_to_read(self, place: Place) -> None:
        await put(place, "k", body=b"")
        info = await place.objects.head("k")
        assert info is not None
        assert await whole(copies_of(place).read("k", first=0, etag=info.etag)) == b""

    async def test_a_backend_that_is_down_copies_nothing(self, place: Place) -> None:
        copies = copies_of(place)
        upload = await copies.begin("k", content_type=TS, size=40 * MIB)
        await put(place, "there", body=b"media")
        await place.break_down()
        with pytest.raises(Unavailable):
            await copies.append(upload, media(5), at=0)
        with pytest.raises(Unavailable):
            await copies.begin("l", content_type=TS, size=40 * MIB)
        with pytest.raises(Unavailable):
            await whole(copies.read("there", first=0, etag="x"))


class ListsContract:
    """To be inherited with a fixture `place`."""

    async def test_everything_that_is_complete_is_listed(self, place: Place) -> None:
        assert isinstance(place.objects, Lists)
        assert [entry async for entry in place.objects.entries()] == []
        keys = [f"a/{n} ü+" for n in range(5)]
        for n, key in enumerate(keys):
            await put(place, key, body=b"x" * n)
        copies = copies_of(place)
        await copies.complete(await write(copies, "copied", data=b"media"))
        await write(copies, "under way", data=media(17 * MIB))
        found = {entry.key: entry async for entry in place.objects.entries()}
        assert {key: entry.size for key, entry in found.items()} == {
            **{key: n for n, key in enumerate(keys)},
            "copied": 5,
        }
        info = await place.objects.head(keys[0])
        assert info is not None
        assert abs(found[keys[0]].modified - info.modified) < 2 * 10**9
        await place.objects.delete("copied")
        assert sorted([entry.key async for entry in place.objects.entries()]) == keys

    async def test_what_is_not_complete_is_told_of_and_can_be_given_up(self, place: Place) -> None:
        assert isinstance(place.objects, Lists)
        copies = copies_of(place)
        assert [upload async for upload in place.objects.unfinished()] == []
        uploads = [await write(copies, key, data=media(17 * MIB)) for key in ("one", "one", "two")]
        await put(place, "k", body=b"media")
        found = {upload.id: upload async for upload in place.objects.unfinished()}
        assert found.keys() == {upload.id for upload in uploads}
        for upload in found.values():
            assert abs(upload.modified - system_clock()) < 60 * SECOND
        for _ in range(2):
            await place.objects.abandon(found[uploads[0].id])
        assert {upload.id async for upload in place.objects.unfinished()} == {uploads[1].id, uploads[2].id}
        with pytest.raises(NotFound):
            await copies.arrived(uploads[0])
        assert (await copies.complete(uploads[1])).size == 17 * MIB

    async def test_it_bears_the_mark_of_who_was_first(self, place: Place) -> None:
        assert isinstance(place.objects, Lists)
        first, second = Owner("store", "backend"), Owner("another", "backend")
        assert await place.objects.owner() is None
        assert await place.objects.mark(first) == first
        assert await place.objects.mark(second) == first
        assert await place.objects.owner() == first
        assert [entry async for entry in place.objects.entries()] == []
        if isinstance(place.objects, Prepares):
            assert (await place.objects.condition()).owner == first

    async def test_a_backend_that_is_down_tells_nothing(self, place: Place) -> None:
        assert isinstance(place.objects, Lists)
        await place.break_down()
        with pytest.raises(Unavailable):
            await place.objects.mark(Owner("store", "backend"))
        with pytest.raises(Unavailable):
            await place.objects.owner()


class PreparesContract:
    """To be inherited with a fixture `place`."""

    async def test_what_is_ready_stays_as_it_is(self, place: Place) -> None:
        assert isinstance(place.objects, Prepares)
        await put(place, "k", body=b"media")
        first = await place.objects.prepare(create=True)
        assert first == await place.objects.prepare(create=False) == await place.objects.condition()
        assert first.state == "ready"
        assert (await get(place, "k")).body == b"media"
