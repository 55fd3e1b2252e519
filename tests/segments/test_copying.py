"""Copies between backends: whole or not at all, resumed after every kind of interruption, never in vain (INS-1)."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from tams_common.clock import SECOND as S
from tams_common.ids import new_id
from tams_common.objects import Copies
from tams_common.store import Query
from tams_segments.config import SegmentsConfig
from tams_segments.copy_jobs import FIRST_RETRY, LAST_RETRY, Progress, note, put_off
from tams_segments.tables import COPIES, GARBAGE
from tests.common.child import child
from tests.common.eventually import eventually
from tests.conformance import rule
from tests.segments.copying_rig import (
    MIB,
    SECOND,
    A,
    B,
    ask,
    begun,
    copied,
    copying,
    jobs,
    keys,
    labels,
    media,
    registered,
    value,
)
from tests.segments.rig import Rig, object_id
from tests.stores import on_sqlite_files


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with copying(tmp_path) as made:
        yield made


def second(rig: Rig) -> Copies:
    """The backend that is copied to."""
    objects = rig.parts.objects[1]
    assert isinstance(objects, Copies)
    return objects


async def cut_off(rig: Rig, data: bytes) -> None:
    """Leaves the only copy as a worker does that stops after the first part."""
    (job,) = await jobs(rig)
    source = await rig.objects.head((await keys(rig))[0])
    assert source is not None
    upload = await second(rig).begin(new_id(), content_type=source.content_type, size=len(data))
    progress = Progress(str(rig.objects.backend.id), source.etag, upload)
    assert await rig.store.run(lambda tx: note(tx, job, progress=progress, now=rig.clock.now))
    await second(rig).append(upload, data[: upload.part_size], at=0)


@rule("INS-1", "INS-8", "URL-1")
@pytest.mark.parametrize("size", [0, 1, 16 * MIB, 33 * MIB + 1], ids=str)
async def test_a_copy_is_equal_to_its_original(rig: Rig, size: int) -> None:
    data = media(size)
    await registered(rig, data)
    await ask(rig)
    await rig.copies.sweep()
    assert await labels(rig) == ["local", "second"]
    assert await copied(rig) == data
    assert (value(rig, "tams_copies_made_total"), value(rig, "tams_copied_bytes_total")) == (1, size)


@on_sqlite_files
@rule("INS-1", "INS-8")
async def test_a_killed_replica_leaves_the_rest_to_another_one(tmp_path: Path) -> None:
    data = media(200 * MIB)
    async with copying(tmp_path) as rig:
        await registered(rig, data)
        await ask(rig)
        async with child("tests.segments.copying_child", str(tmp_path)) as other:
            assert await other.ended() == -signal.SIGKILL
        left = await jobs(rig)
        assert await labels(rig) == ["local"]
        upload = (await begun(rig)).upload
        arrived = await second(rig).arrived(upload)
        assert arrived > 0
        await rig.copies.sweep()
        assert await jobs(rig) == left
        rig.clock.now += 11 * S
        await rig.copies.sweep()
        assert await labels(rig) == ["local", "second"]
        assert await copied(rig) == data
        assert value(rig, "tams_copied_bytes_total") == len(data) - arrived


@rule("INS-1")
async def test_a_crash_after_the_last_byte_is_found_out(rig: Rig) -> None:
    """Complete in the backend, not yet shown: nothing is moved again."""
    data = media(20 * MIB)
    await registered(rig, data)
    await ask(rig)
    await cut_off(rig, data)
    upload, at = (await begun(rig)).upload, 16 * MIB
    await second(rig).append(upload, data[at:], at=at)
    await second(rig).complete(upload)
    await rig.copies.sweep()
    assert await labels(rig) == ["local", "second"]
    assert value(rig, "tams_copied_bytes_total") == 0


@rule("INS-1", "INS-8")
async def test_a_single_part_is_written_under_a_key_of_its_own_by_whoever_takes_over(rig: Rig) -> None:
    """A worker that was thought dead may write it once more."""
    await registered(rig, b"media")
    await ask(rig)
    await cut_off(rig, b"media")
    given_up = (await begun(rig)).upload
    await rig.copies.sweep()
    (_, key) = await keys(rig)
    assert (key == given_up.key, await copied(rig)) == (False, b"media")
    (row,) = (await rig.store.read(lambda tx: tx.scan(GARBAGE, Query()))).rows
    assert (row.storage_key, row.due > rig.clock.now) == (given_up.key, True)


@rule("INS-8")
async def test_an_original_that_was_replaced_is_copied_anew(rig: Rig) -> None:
    await registered(rig, media(40 * MIB))
    await ask(rig)
    await cut_off(rig, media(40 * MIB))
    data = media(35 * MIB)
    await rig.upload(A, data)
    await rig.copies.sweep()
    assert await copied(rig) == data
    assert list((rig.objects.directory.parent / "second").rglob("*.part")) == []


async def test_parts_that_do_not_add_up_are_thrown_away(rig: Rig) -> None:
    data = media(20 * MIB)
    await registered(rig, data)
    await ask(rig)
    await cut_off(rig, data)
    (part,) = (rig.objects.directory.parent / "second").rglob("*.part")
    part.write_bytes(bytes(21 * MIB))
    await rig.copies.sweep()
    assert (await labels(rig), value(rig, "tams_copies_failed_total")) == (["local"], 1)
    rig.clock.now += FIRST_RETRY
    await rig.copies.sweep()
    assert await copied(rig) == data


@rule("INS-8")
async def test_a_part_that_was_spoilt_on_its_way_is_noticed(rig: Rig) -> None:
    data = media(20 * MIB)
    await registered(rig, data)
    await ask(rig)
    await cut_off(rig, data)
    await second(rig).append((await begun(rig)).upload, bytes(16 * MIB), at=0)
    await rig.copies.sweep()
    assert await labels(rig) == ["local"]
    rig.clock.now += FIRST_RETRY
    await rig.copies.sweep()
    assert await copied(rig) == data


@rule("INS-1", "TMO-2")
async def test_a_copy_nobody_wants_any_more_is_given_up(rig: Rig) -> None:
    data = media(40 * MIB)
    await registered(rig, data)
    await ask(rig)
    await cut_off(rig, data)
    await rig.client.delete(f"/objects/{A}/instances?storage_id={SECOND}")
    await rig.copies.sweep()
    assert (await jobs(rig), value(rig, "tams_copies_given_up_total")) == ([], 1)
    assert await labels(rig) == ["local"]
    rig.clock.now += 2 * 3600 * S
    await rig.collector.sweep()
    assert [path for path in (rig.objects.directory.parent / "second").rglob("*") if len(path.name) > 32] == []


@rule("INS-1", "TMO-2")
async def test_a_copy_may_be_given_up_while_it_is_made(rig: Rig) -> None:
    await registered(rig, media(100 * MIB))
    await ask(rig)
    running = asyncio.create_task(rig.copies.run())
    await eventually(lambda: begun(rig))
    await rig.client.delete(f"/objects/{A}/instances?storage_id={SECOND}")

    async def is_settled() -> bool:
        return await jobs(rig) == []

    await eventually(is_settled)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert await labels(rig) == ["local"]
    rig.clock.now += 2 * 3600 * S
    await rig.collector.sweep()
    assert [path for path in (rig.objects.directory.parent / "second").rglob("*") if len(path.name) > 32] == []


async def test_a_job_that_another_worker_has_put_off_meanwhile_ends_well(rig: Rig) -> None:
    data = media(60 * MIB)
    await registered(rig, data)
    await ask(rig)
    (job,) = await jobs(rig)
    running = asyncio.create_task(rig.copies.run())
    await eventually(lambda: begun(rig))
    assert await rig.store.run(lambda tx: put_off(tx, job, now=rig.clock.now))
    later = (await jobs(rig))[0]
    await eventually(lambda: value(rig, "tams_copies_running") == 0)
    assert (await labels(rig), await jobs(rig)) == (["local"], [later])
    rig.clock.now = later.due
    rig.copies.prompt()
    await eventually(lambda: value(rig, "tams_copies_made_total") == 1)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert (await copied(rig), await jobs(rig)) == (data, [])


async def test_a_job_whose_copy_is_shown_already_harms_nothing(rig: Rig) -> None:
    await registered(rig, b"media")
    await ask(rig)
    (job,) = await jobs(rig)
    await rig.copies.sweep()
    await rig.store.run(lambda tx: tx.insert(COPIES, [job]))
    await rig.copies.sweep()
    rig.clock.now += 2 * 3600 * S
    await rig.collector.sweep()
    assert (await copied(rig), await jobs(rig)) == (b"media", [])


async def test_an_id_that_is_used_again_does_not_get_the_copy_of_its_forerunner(rig: Rig) -> None:
    await registered(rig, b"first")
    await ask(rig)
    await rig.client.delete("/flows/10000000-0000-4000-8000-000000000001/segments")
    rig.clock.now += S
    await registered(rig, b"second")
    await rig.copies.sweep()
    assert (await labels(rig), await jobs(rig)) == (["local"], [])
    await ask(rig)
    await rig.copies.sweep()
    assert await copied(rig) == b"second"


async def test_what_fails_is_tried_again_later_each_time_and_told(rig: Rig) -> None:
    await registered(rig, None)
    await ask(rig)
    waits = []
    for _ in range(12):
        await rig.copies.sweep()
        (job,) = await jobs(rig)
        waits.append(job.due - rig.clock.now)
        rig.clock.now = job.due
    assert waits[:3] == [FIRST_RETRY, 2 * FIRST_RETRY, 4 * FIRST_RETRY]
    assert waits[-1] == LAST_RETRY
    assert (value(rig, "tams_copies_failed_total"), value(rig, "tams_copies_made_total")) == (12, 0)
    await rig.upload(A, b"late")
    await rig.copies.sweep()
    assert await copied(rig) == b"late"


async def test_a_backend_that_is_down_holds_up_only_its_own_copies(rig: Rig, tmp_path: Path) -> None:
    await registered(rig, b"media")
    await ask(rig)
    (tmp_path / "second").rename(tmp_path / "away")
    (tmp_path / "second").write_bytes(b"")
    await rig.copies.sweep()
    assert (await labels(rig), value(rig, "tams_copies_failed_total")) == (["local"], 1)
    (tmp_path / "second").unlink()
    (tmp_path / "away").rename(tmp_path / "second")
    rig.clock.now += FIRST_RETRY
    await rig.copies.sweep()
    assert await copied(rig) == b"media"


async def test_another_instance_is_read_where_the_first_one_is_gone(rig: Rig) -> None:
    await registered(rig, b"media")
    await ask(rig)
    await rig.copies.sweep()
    (own, _) = await keys(rig)
    await rig.client.delete(f"/objects/{A}/instances?storage_id={rig.objects.backend.id}")
    await rig.collector.sweep()
    assert await rig.objects.head(own) is None
    await ask(rig, storage_id=str(rig.objects.backend.id))
    await rig.copies.sweep()
    assert await copied(rig, storage_id=str(rig.objects.backend.id)) == b"media"


async def test_many_copies_are_made_several_at_a_time(tmp_path: Path) -> None:
    async with copying(tmp_path, config=SegmentsConfig(copy_parallel=2)) as rig:
        names = [object_id(number) for number in range(1, 12)]
        for at, name in enumerate(names):
            await registered(rig, name.encode(), name=name, at=at)
            await ask(rig, name)
        await rig.copies.sweep()
        assert [await copied(rig, name) for name in names] == [name.encode() for name in names]
        assert await jobs(rig) == []


async def test_one_worker_has_the_copies_at_a_time(tmp_path: Path) -> None:
    async with copying(tmp_path) as first, copying(tmp_path) as other:
        await registered(first, b"media")
        await registered(first, b"more", name=B, at=1)
        await ask(first)
        await first.copies.sweep()
        await ask(first, B)
        await other.copies.sweep()
        assert len(await jobs(other)) == 1
        first.clock.now += S
        await first.copies.sweep()
        assert await labels(other, B) == ["local", "second"]


async def test_it_looks_when_it_is_asked(rig: Rig) -> None:
    running = asyncio.create_task(rig.copies.run())
    await registered(rig, b"media")
    await ask(rig)

    async def is_shown() -> bool:
        return await labels(rig) == ["local", "second"]

    await eventually(is_shown)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
