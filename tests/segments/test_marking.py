"""A store leaves its mark where its media lies: no repair removes what may be somebody else's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from msgspec.structs import replace

from tams_common.clock import SECOND, system_clock
from tams_common.objects import Copies, Lists, Objects
from tams_common.objects.checking import Options, Sums
from tams_common.objects.local import LocalObjects
from tams_common.objects.local.store import ONLY
from tams_common.objects.port import STALLED, Owner, Unfinished
from tams_common.objects.s3 import S3Objects
from tams_common.store import Store
from tams_segments.checking import check_storage
from tams_segments.copy_jobs import Progress, note
from tams_segments.identity import store_id
from tams_segments.tables import COPIES, TABLES, CopyJob
from tams_segments.upkeep import Upkeep
from tests import seaweed
from tests.stores import make_store

MIB = 1024 * 1024
Opened = Callable[[str], Awaitable[Objects]]
"""Opens the one place as the backend of that id."""


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture(params=["local", "s3"])
async def place(request: pytest.FixtureRequest, tmp_path: Path, stack: AsyncExitStack) -> Opened:
    if request.param == "s3":
        declared = seaweed.declared(tmp_path)

    async def opened(storage_id: str) -> Objects:
        made: Objects
        if request.param == "s3":
            made = S3Objects(replace(declared, id=storage_id), url_lifetime=300)
        else:
            made = LocalObjects(tmp_path / "media", url_lifetime=300, backend=replace(ONLY, id=storage_id))
        await made.open()
        stack.push_async_callback(made.close)
        if isinstance(made, S3Objects):
            await made.prepare(create=True)
        return made

    return opened


@pytest.fixture
async def stores(tmp_path: Path, stack: AsyncExitStack) -> tuple[Store, Store]:
    """The tables of two stores."""
    made = (make_store(tmp_path / "one", "segments", tables=TABLES), make_store(None, "segments", tables=TABLES))
    for store in made:
        await store.open()
        stack.push_async_callback(store.close)
        await store.migrate()
    return made


async def put(objects: Objects, key: str) -> None:
    assert isinstance(objects, Copies)
    upload = await objects.begin(key, content_type="video/mp2t", size=5)
    await objects.append(upload, b"media", at=0)
    await objects.complete(upload)


async def cut_off(objects: Objects, key: str) -> str:
    """An upload in parts that nobody goes on with; its id."""
    assert isinstance(objects, Copies)
    return (await objects.begin(key, content_type="video/mp2t", size=40 * MIB)).id


async def unfinished(objects: Objects) -> set[str]:
    assert isinstance(objects, Lists)
    found: list[Unfinished] = [upload async for upload in objects.unfinished()]
    return {upload.id for upload in found}


async def look(store: Store, *backends: Objects) -> None:
    """What a start does."""
    assert await Upkeep(store, backends, new_id=lambda: str(uuid4())).look()


async def repair(store: Store, *backends: Objects) -> Sums:
    """What a repair two days later does to the first backend."""
    options = Options(grace=600, repair=True, force=True)
    clock = lambda: system_clock() + STALLED + 3600 * SECOND  # noqa: E731 -- a moment
    return (await check_storage(store, backends, options=options, clock=clock)).backends[0]


async def test_a_store_repairs_what_bears_its_mark(place: Opened, stores: tuple[Store, Store]) -> None:
    ours, objects = stores[0], await place(str(uuid4()))
    for _ in range(2):
        await look(ours, objects)
    await put(objects, str(uuid4()))
    await cut_off(objects, str(uuid4()))
    sums = await repair(ours, objects)
    assert (sums.orphaned, sums.abandoned, sums.removed, sums.unknown, sums.refused) == (1, 1, 2, "", "")
    assert await unfinished(objects) == set()


async def test_another_store_in_the_same_place_loses_nothing(place: Opened, stores: tuple[Store, Store]) -> None:
    objects = await place(str(uuid4()))
    for store in stores:
        await look(store, objects)
    await put(objects, key := str(uuid4()))
    upload = await cut_off(objects, str(uuid4()))
    sums = await repair(stores[1], objects)
    assert "another store" in sums.unknown
    assert sums.refused
    assert (sums.orphaned, sums.foreign, sums.abandoned, sums.removed) == (0, 1, 0, 0)
    assert await objects.head(key) is not None
    assert await unfinished(objects) == {upload}


async def test_another_backend_in_the_same_place_loses_nothing(place: Opened, stores: tuple[Store, Store]) -> None:
    first, second = await place(str(uuid4())), await place(str(uuid4()))
    await look(stores[0], first, second)
    await put(first, key := str(uuid4()))
    sums = await repair(stores[0], second, first)
    assert f"backend {first.backend.id} of this store" in sums.unknown
    assert (sums.orphaned, sums.removed) == (0, 0)
    assert await first.head(key) is None  # the repair of the first one has removed it


async def test_nothing_is_removed_before_the_first_start(place: Opened, stores: tuple[Store, Store]) -> None:
    objects = await place(str(uuid4()))
    await put(objects, key := str(uuid4()))
    sums = await repair(stores[0], objects)
    assert (sums.orphaned, sums.removed) == (1, 0)
    assert "start the store" in sums.refused
    await look(stores[1], objects)
    sums = await repair(stores[0], objects)
    assert "another store" in sums.unknown
    assert await objects.head(key) is not None


async def test_the_upload_of_a_copy_is_never_abandoned(place: Opened, stores: tuple[Store, Store]) -> None:
    ours, objects = stores[0], await place(str(uuid4()))
    assert isinstance(objects, Copies)
    await look(ours, objects)
    job = CopyJob(1, storage_key=str(uuid4()), storage_id=objects.backend.id, object_id="x")
    upload = await objects.begin(job.storage_key, content_type="video/mp2t", size=40 * MIB)
    await ours.run(lambda tx: tx.insert(COPIES, [job]))
    await ours.run(lambda tx: note(tx, job, progress=Progress("origin", "etag", upload), now=1))
    sums = await repair(ours, objects)
    assert (sums.unfinished, sums.abandoned, sums.removed) == (1, 0, 0)
    assert await objects.arrived(upload) == 0


async def test_uploads_of_others_in_the_bucket_are_left_alone(tmp_path: Path, stack: AsyncExitStack) -> None:
    store = make_store(None, "segments", tables=TABLES)
    objects = S3Objects(seaweed.declared(tmp_path), url_lifetime=300)
    for resource in (store, objects):
        await resource.open()
        stack.push_async_callback(resource.close)
    await store.migrate()
    await objects.prepare(create=True)
    await look(store, objects)
    upload = await cut_off(objects, "theirs/file.mxf")
    sums = await repair(store, objects)
    assert (sums.unfinished, sums.abandoned) == (1, 0)
    assert await unfinished(objects) == {upload}


async def test_a_backend_that_is_down_does_not_keep_others_from_their_mark(
    tmp_path: Path, stores: tuple[Store, Store]
) -> None:
    down = S3Objects(replace(seaweed.declared(tmp_path), endpoint="http://127.0.0.1:1", attempts=1), url_lifetime=300)
    here = LocalObjects(tmp_path / "here", url_lifetime=300)
    await down.open()
    await here.open()
    assert not await Upkeep(stores[0], [down, here], new_id=lambda: str(uuid4())).look()
    assert await here.owner() is not None
    await down.close()


async def test_replicas_that_start_at_the_same_time_are_one_store(place: Opened, stores: tuple[Store, Store]) -> None:
    objects = await place(str(uuid4()))
    await asyncio.gather(*(look(stores[0], objects) for _ in range(5)))
    assert isinstance(objects, Lists)
    owner = await objects.owner()
    assert owner == Owner(str(await stores[0].read(store_id)), objects.backend.id)
