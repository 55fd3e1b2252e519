"""Media in a directory on a bad day: full disks, files that vanish, places that cannot be written to."""

import asyncio
import os
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from shutil import rmtree

import pytest

from tams_common.errors import NotFound, Unavailable
from tams_common.objects.local import LocalObjects
from tams_common.objects.local.files import path_of
from tams_common.objects.local.store import CHUNK
from tams_common.objects.port import Damaged
from tests.common.full_disk import full_disk

TS = {"content-type": "video/mp2t"}
MIB = 1024 * 1024


@pytest.fixture
async def objects(tmp_path: Path) -> AsyncIterator[LocalObjects]:
    made = LocalObjects(tmp_path / "media", url_lifetime=300)
    await made.open()
    yield made
    await made.close()


async def body(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(objects: LocalObjects, key: str) -> bytes:
    return b"".join([part async for part in (await objects.download(key, None)).body])


def parts_of(objects: LocalObjects) -> list[Path]:
    return list(objects.directory.glob("*/*.part"))


@pytest.mark.parametrize("room", [0, MIB, MIB + MIB // 2, 2 * MIB])
async def test_an_upload_to_a_full_disk_leaves_what_was_there(objects: LocalObjects, room: int) -> None:
    await objects.put("k", body(b"before"), headers=TS)
    with full_disk(room), pytest.raises(Unavailable):
        await objects.put("k", body(b"x" * CHUNK, b"x" * CHUNK), headers=TS)
    assert await read(objects, "k") == b"before"
    assert parts_of(objects) == []
    await objects.put("k", body(b"after"), headers=TS)
    assert await read(objects, "k") == b"after"


@pytest.mark.parametrize("room", [0, MIB, 16 * MIB, 20 * MIB, 24 * MIB])
async def test_a_copy_goes_on_when_a_full_disk_has_room_again(objects: LocalObjects, room: int) -> None:
    data = bytes(range(256)) * (24 * MIB // 256)
    upload = await objects.begin("k", content_type="video/mp2t", size=len(data))

    async def go_on() -> None:
        at = await objects.arrived(upload)
        while at < len(data):
            part = data[at : at + upload.part_size]
            await objects.append(upload, part, at=at)
            at += len(part)
        await objects.complete(upload)

    with full_disk(room), pytest.raises(Unavailable):
        await go_on()
    assert await objects.head("k") is None
    await go_on()
    assert await read(objects, "k") == data
    assert parts_of(objects) == []


async def test_a_file_that_was_cut_off_is_not_read_into_memory(objects: LocalObjects) -> None:
    path = path_of(objects.directory, "k")
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(64 * MIB)
        file.seek(0, os.SEEK_END)
        file.write((32 * MIB).to_bytes(4, "big"))
    tracemalloc.start()
    with pytest.raises(Damaged):
        await objects.head("k")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < MIB


async def test_a_place_that_cannot_be_written_to_is_unavailable(objects: LocalObjects) -> None:
    path_of(objects.directory, "k").parent.write_text("in the way")
    with pytest.raises(Unavailable):
        await objects.put("k", body(b"media"), headers=TS)
    with pytest.raises(Unavailable):
        await objects.begin("k", content_type="video/mp2t", size=5)
    with pytest.raises(Unavailable):
        await objects.head("k")
    with pytest.raises(Unavailable):
        await objects.delete("k")


async def test_a_directory_that_is_gone_is_made_again_by_the_next_upload(objects: LocalObjects) -> None:
    await objects.put("k", body(b"media"), headers=TS)
    upload = await objects.begin("copy", content_type="video/mp2t", size=5)
    rmtree(objects.directory)
    assert await objects.head("k") is None
    with pytest.raises(NotFound):
        await objects.append(upload, b"media", at=0)
    await objects.delete("k")
    await objects.put("k", body(b"again"), headers=TS)
    assert await read(objects, "k") == b"again"


async def test_a_directory_that_goes_during_an_upload_is_unavailable(objects: LocalObjects) -> None:
    gone = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x" * CHUNK
        await asyncio.to_thread(rmtree, objects.directory)
        gone.set()
        yield b"x" * CHUNK

    with pytest.raises(Unavailable):
        await objects.put("k", slow(), headers=TS)
    assert gone.is_set()
