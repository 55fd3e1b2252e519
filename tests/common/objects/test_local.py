"""The local object store: uploads are whole or not there, URLs permit what they were signed for and no more."""

import asyncio
import base64
import fcntl
import hashlib
import os
import threading
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tams_common.clock import ManualClock
from tams_common.errors import (
    Forbidden,
    InvalidInput,
    NotFound,
    RangeNotSatisfiable,
    StartRefused,
    TooLarge,
    Unavailable,
)
from tams_common.objects import ServesBytes
from tams_common.objects.local import LocalObjects
from tams_common.objects.local.store import CHUNK
from tams_common.objects.port import ByteRange
from tests.conformance import rule

TS = {"content-type": "video/mp2t"}


async def body(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(objects: LocalObjects, key: str, *, wanted: ByteRange | None = None) -> bytes:
    return b"".join([part async for part in (await objects.download(key, wanted)).body])


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def objects(tmp_path: Path, clock: ManualClock) -> AsyncIterator[LocalObjects]:
    made = LocalObjects(tmp_path / "media", url_lifetime=300, size_limit=4 * CHUNK, clock=clock)
    await made.open()
    yield made
    await made.close()


def files_of(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "media").glob("*/*") if path.is_file()]


@pytest.mark.parametrize("key", ["plain", "a/b/../../etc/passwd", "..", "ümlaut %2F", "x" * 3000])
async def test_any_id_is_stored_under_a_safe_name(objects: LocalObjects, tmp_path: Path, key: str) -> None:
    assert isinstance(objects, ServesBytes)
    info = await objects.put(key, body(b"me", b"dia"), headers=TS)
    assert (info.size, info.content_type, info.etag) == (5, "video/mp2t", hashlib.md5(b"media").hexdigest())
    assert await read(objects, key) == b"media"
    assert [path.parent.parent for path in files_of(tmp_path)] == [tmp_path / "media"]
    head = await objects.head(key)
    assert head is not None
    assert (head.size, head.etag, head.content_type) == (info.size, info.etag, info.content_type)


async def test_large_bodies_stream_in_and_out_in_pieces(objects: LocalObjects) -> None:
    parts = [bytes([n]) * 100_000 for n in range(30)]
    await objects.put("big", body(*parts), headers=TS)
    download = await objects.download("big", None)
    received = [part async for part in download.body]
    assert b"".join(received) == b"".join(parts)
    assert max(map(len, received)) <= CHUNK


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ByteRange(first=2, last=4), b"234"),
        (ByteRange(first=7), b"789"),
        (ByteRange(first=8, last=100), b"89"),
        (ByteRange(suffix=3), b"789"),
        (ByteRange(suffix=100), b"0123456789"),
        (ByteRange(first=0, last=0), b"0"),
    ],
)
async def test_ranges(objects: LocalObjects, wanted: ByteRange, expected: bytes) -> None:
    await objects.put("digits", body(b"0123456789"), headers=TS)
    assert await read(objects, "digits", wanted=wanted) == expected


@pytest.mark.parametrize("wanted", [ByteRange(first=10), ByteRange(suffix=0), ByteRange(first=5, last=4)])
async def test_a_range_outside_the_object_names_its_size(objects: LocalObjects, wanted: ByteRange) -> None:
    await objects.put("digits", body(b"0123456789"), headers=TS)
    with pytest.raises(RangeNotSatisfiable) as caught:
        await objects.download("digits", wanted)
    assert caught.value.size == 10


async def test_an_upload_that_breaks_off_leaves_nothing(objects: LocalObjects, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * CHUNK
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await objects.put("cut", broken(), headers=TS)
    assert files_of(tmp_path) == []
    with pytest.raises(NotFound):
        await objects.download("cut", None)


async def test_an_upload_that_breaks_off_keeps_what_was_there(objects: LocalObjects) -> None:
    await objects.put("kept", body(b"first"), headers=TS)
    with pytest.raises(InvalidInput, match="content-length is 9, but 3 bytes came"):
        await objects.put("kept", body(b"cut"), headers=TS | {"content-length": "9"})
    assert await read(objects, "kept") == b"first"


async def test_too_large_is_refused_announced_or_not(objects: LocalObjects, tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="at most"):
        await objects.put("big", body(b""), headers=TS | {"content-length": str(5 * CHUNK)})
    with pytest.raises(TooLarge, match="at most"):
        await objects.put("big", body(*[b"x" * CHUNK] * 5), headers=TS)
    assert files_of(tmp_path) == []


def sums(data: bytes) -> dict[str, str]:
    digests = {
        "content-md5": hashlib.md5(data).digest(),
        "x-amz-checksum-crc32": zlib.crc32(data).to_bytes(4, "big"),
        "x-amz-checksum-sha1": hashlib.sha1(data).digest(),
        "x-amz-checksum-sha256": hashlib.sha256(data).digest(),
    }
    return {name: base64.b64encode(digest).decode() for name, digest in digests.items()}


@pytest.mark.parametrize("name", sorted(sums(b"")))
async def test_checksums_are_verified(objects: LocalObjects, name: str) -> None:
    right, wrong = sums(b"media")[name], sums(b"other")[name]
    info = await objects.put("sum", body(b"med", b"ia"), headers=TS | {name: right})
    assert info.checksums == ({name: right} if name != "content-md5" else {})
    with pytest.raises(InvalidInput, match=name) as caught:
        await objects.put("sum", body(b"media"), headers=TS | {name: wrong})
    assert caught.value.field == name


async def test_an_unknown_checksum_is_refused_not_ignored(objects: LocalObjects) -> None:
    with pytest.raises(InvalidInput, match="x-amz-checksum-crc64nvme is not supported"):
        await objects.put("sum", body(b"media"), headers=TS | {"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="})


async def test_deletion_is_idempotent(objects: LocalObjects) -> None:
    await objects.put("gone", body(b"media"), headers=TS)
    await objects.delete("gone")
    await objects.delete("gone")
    assert await objects.head("gone") is None


def parts_of(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.path, parts.query


async def test_a_url_permits_its_method_key_and_content_type(objects: LocalObjects) -> None:
    signer = objects.signer("https://tams.example/prefix")
    get, put = signer.get_url("a/b"), signer.put_url("a/b", "video/mp2t")
    assert get.startswith("https://tams.example/prefix/media/a%2Fb?")
    get_query, put_query = parts_of(get)[1], parts_of(put)[1]
    assert objects.verify("GET", "a/b", query=get_query) is None
    assert objects.verify("HEAD", "a/b", query=get_query) is None
    assert objects.verify("PUT", "a/b", query=put_query) == "video/mp2t"
    for method, key, query in [
        ("PUT", "a/b", get_query),
        ("GET", "a/b", put_query),
        ("GET", "a/c", get_query),
        ("PUT", "a/b", put_query.replace("mp2t", "mp4")),
        ("GET", "a/b", get_query.replace("expires=1", "expires=2")),
        ("GET", "a/b", ""),
    ]:
        with pytest.raises(Forbidden):
            objects.verify(method, key, query=query)


@rule("SVC-9", "SVC-10")
async def test_urls_are_equal_within_a_window_and_live_as_long_as_promised(
    objects: LocalObjects, clock: ManualClock
) -> None:
    clock.now -= clock.now % (60 * 10**9)
    first = objects.signer("http://t").get_url("k")
    clock.advance(seconds=59)
    assert objects.signer("http://t").get_url("k") == first
    clock.advance(seconds=300)
    assert objects.verify("GET", "k", query=parts_of(first)[1]) is None
    clock.advance(seconds=60)
    with pytest.raises(Forbidden, match="expired"):
        objects.verify("GET", "k", query=parts_of(first)[1])


async def test_urls_outlive_a_restart(objects: LocalObjects, tmp_path: Path, clock: ManualClock) -> None:
    url = objects.signer("http://t").get_url("k")
    again = LocalObjects(tmp_path / "media", url_lifetime=300, clock=clock)
    await again.open()
    assert again.verify("GET", "k", query=parts_of(url)[1]) is None
    assert (tmp_path / "media" / "secret").stat().st_mode & 0o777 == 0o600


async def test_a_directory_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartRefused, match="cannot be used"):
        await LocalObjects(tmp_path / "file" / "media", url_lifetime=300).open()


async def test_a_private_directory_goes_with_the_store() -> None:
    objects = LocalObjects(None, url_lifetime=300)
    await objects.open()
    await objects.put("k", body(b"media"), headers=TS)
    directory = objects.directory
    await objects.close()
    assert not directory.exists()


@pytest.mark.parametrize("written", [0, 1, 20, -1, None])
async def test_a_copy_that_was_killed_on_its_trailer_is_completed(
    objects: LocalObjects, tmp_path: Path, written: int | None
) -> None:
    upload = await objects.begin("k", content_type="video/mp2t", size=5)
    await objects.append(upload, b"media", at=0)
    (part,) = files_of(tmp_path)
    first = await objects.complete(upload)
    (whole,) = files_of(tmp_path)
    part.write_bytes(b"media" + whole.read_bytes()[5:][:written])
    whole.unlink()
    again = await objects.complete(upload)
    assert (again.size, again.etag, await read(objects, "k")) == (5, first.etag, b"media")


async def test_what_another_process_is_writing_is_not_completed(objects: LocalObjects, tmp_path: Path) -> None:
    upload = await objects.begin("k", content_type="video/mp2t", size=5)
    await objects.append(upload, b"media", at=0)
    with files_of(tmp_path)[0].open("r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        for attempt in (objects.complete(upload), objects.append(upload, b"media", at=0)):
            with pytest.raises(Unavailable, match="another process"):
                await attempt
        assert await objects.head("k") is None
    assert (await objects.complete(upload)).size == 5


@pytest.mark.parametrize("secret", [b"", b"short"])
async def test_a_damaged_secret_signs_nothing(tmp_path: Path, secret: bytes) -> None:
    (tmp_path / "secret").write_bytes(secret)
    with pytest.raises(StartRefused, match="secret is damaged"):
        await LocalObjects(tmp_path, url_lifetime=300).open()


async def test_a_cancelled_upload_never_writes_to_another_file(
    objects: LocalObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on, write = threading.Event(), threading.Event(), os.write

    def slowly(descriptor: int, data: bytes) -> int:
        writing.set()
        go_on.wait()
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", slowly)
    upload = asyncio.create_task(objects.put("k", body(b"media"), headers=TS))
    await asyncio.to_thread(writing.wait)
    upload.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    with (tmp_path / "other").open("wb"):
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await upload
        await asyncio.get_running_loop().shutdown_default_executor()
    assert (tmp_path / "other").read_bytes() == b""
    assert files_of(tmp_path) == []


async def test_an_upload_that_is_cancelled_before_its_first_byte_leaves_nothing(
    objects: LocalObjects, tmp_path: Path
) -> None:
    for turns in range(20):
        upload = asyncio.create_task(objects.put("k", body(b"x" * CHUNK, b"y"), headers=TS))
        for _ in range(turns):
            await asyncio.sleep(0)
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
    await asyncio.get_running_loop().shutdown_default_executor()
    assert files_of(tmp_path) == []
