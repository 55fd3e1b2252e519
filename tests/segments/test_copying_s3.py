"""Copies into a real S3 store and out of it: one request for small objects, parts for large ones, through outages."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tams_common.clock import SECOND as S
from tams_common.clock import system_clock
from tams_common.ids import new_id
from tams_common.objects.checking import Options
from tams_common.objects.declared import S3Backend, read_backends
from tams_common.objects.s3 import S3Objects
from tams_segments.checking import check_storage
from tams_segments.copy_jobs import FIRST_RETRY, Progress, note
from tests import seaweed
from tests.conformance import rule
from tests.segments.copying_rig import MIB, A, ask, copied, copying, jobs, keys, labels, media, registered, value
from tests.segments.rig import FLOW, Rig
from tools.seaweed import Seaweed, write_storage_file

SIZES = [0, 5, 16 * MIB, 33 * MIB + 1]


@pytest.fixture
async def bucket(tmp_path: Path) -> S3Objects:
    """A bucket of its own; the rig opens it."""
    return await made(seaweed.server(), tmp_path)


@pytest.fixture
async def rig(tmp_path: Path, bucket: S3Objects) -> AsyncIterator[Rig]:
    async with copying(tmp_path, targets=[bucket]) as opened:
        yield opened


async def made(server: Seaweed, scratch: Path) -> S3Objects:
    """A new bucket of a server."""
    path = scratch / "storage.toml"
    write_storage_file(path, server.backend(seaweed.new_bucket(), label="s3", attempts=2, default=False))
    (declared,) = read_backends(path)
    assert isinstance(declared, S3Backend)
    objects = S3Objects(declared, url_lifetime=300)
    await objects.open()
    await objects.prepare(create=True)
    await objects.close()
    return objects


async def downloaded(rig: Rig, label: str) -> bytes:
    """The bytes of an instance, as any client gets them."""
    (url,) = (await rig.client.get(f"/objects/{A}?accept_get_urls={label}")).json()["get_urls"]
    async with aiohttp.ClientSession() as session, session.get(url["url"]) as response:
        assert response.status == 200
        return await response.read()


async def left(objects: S3Objects) -> list[str]:
    return [entry.key async for entry in objects.entries()]


@rule("INS-1", "INS-8", "URL-1")
@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_there_and_back_again(rig: Rig, bucket: S3Objects, size: int) -> None:
    data, local = media(size), str(rig.objects.backend.id)
    await registered(rig, data)
    await ask(rig, storage_id=bucket.backend.id)
    await rig.copies.sweep()
    assert await labels(rig) == ["local", "s3"]
    assert await downloaded(rig, "s3") == data
    await rig.client.delete(f"/objects/{A}/instances?label=local")
    await rig.collector.sweep()
    await ask(rig, storage_id=local)
    await rig.copies.sweep()
    assert await labels(rig) == ["s3", "local"]
    assert await copied(rig, storage_id=local) == data
    assert value(rig, "tams_copied_bytes_total") == 2 * size


@rule("INS-1")
async def test_parts_that_have_arrived_are_not_sent_again(rig: Rig, bucket: S3Objects) -> None:
    data = media(50 * MIB)
    await registered(rig, data)
    await ask(rig, storage_id=bucket.backend.id)
    (job,) = await jobs(rig)
    source = await rig.objects.head((await keys(rig))[0])
    assert source is not None
    upload = await bucket.begin(new_id(), content_type="video/mp2t", size=len(data))
    progress = Progress(str(rig.objects.backend.id), source.etag, upload)
    assert await rig.store.run(lambda tx: note(tx, job, progress=progress, now=rig.clock.now))
    for at in (0, 16 * MIB):
        await bucket.append(upload, data[at : at + 16 * MIB], at=at)
    await rig.copies.sweep()
    assert await downloaded(rig, "s3") == data
    assert value(rig, "tams_copied_bytes_total") == len(data) - 32 * MIB


@rule("TMO-2", "INS-11")
@pytest.mark.parametrize("size", [5, 33 * MIB], ids=str)
async def test_a_copy_nobody_wants_any_more_leaves_nothing(rig: Rig, bucket: S3Objects, size: int) -> None:
    data = media(size)
    await registered(rig, data)
    await ask(rig, storage_id=bucket.backend.id)
    (job,) = await jobs(rig)
    upload = await bucket.begin(new_id(), content_type="video/mp2t", size=len(data))
    assert await rig.store.run(lambda tx: note(tx, job, progress=Progress("x", "y", upload), now=rig.clock.now))
    await bucket.append(upload, data[: 16 * MIB], at=0)
    await rig.client.delete(f"/flows/{FLOW}/segments")
    await rig.copies.sweep()
    rig.clock.now += 2 * 3600 * S
    await rig.collector.sweep()
    assert (await jobs(rig), await left(bucket)) == ([], [])


async def test_bytes_of_a_copy_are_no_orphans(rig: Rig, bucket: S3Objects) -> None:
    data = media(5)
    await registered(rig, data)
    await ask(rig, storage_id=bucket.backend.id)
    (job,) = await jobs(rig)
    upload = await bucket.begin(new_id(), content_type="video/mp2t", size=len(data))
    assert await rig.store.run(lambda tx: note(tx, job, progress=Progress("x", "y", upload), now=rig.clock.now))
    await bucket.append(upload, data, at=0)
    options = Options(grace=0, repair=True)
    for _ in range(2):
        report = await check_storage(rig.store, rig.parts.objects, options=options, clock=system_clock)
        assert report.findings == []
        await rig.client.delete(f"/flows/{FLOW}/segments")
    assert await left(bucket) == [upload.key]


@rule("INS-1")
async def test_a_store_that_is_killed_gets_the_copy_when_it_is_back(tmp_path: Path) -> None:
    server = seaweed.fresh()
    data = media(40 * MIB)
    async with copying(tmp_path, targets=[await made(server, tmp_path)]) as rig:
        await registered(rig, data)
        bucket = rig.parts.objects[1]
        await ask(rig, storage_id=bucket.backend.id)
        async with seaweed.killed(server):
            await rig.copies.sweep()
            assert (await labels(rig), value(rig, "tams_copies_failed_total")) == (["local"], 1)
        rig.clock.now += FIRST_RETRY
        await rig.copies.sweep()
        assert await downloaded(rig, "s3") == data
