"""Workers that were thought dead and come back: whatever they still do, what others have shown meanwhile stays."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tams_common.clock import SECOND as S
from tams_common.clock import system_clock
from tams_common.ids import StorageId, new_id
from tams_common.leases import Lease, LeaseLost
from tams_common.objects import Backend, Objects
from tams_common.objects.checking import Options
from tams_common.objects.local import LocalObjects
from tams_common.objects.s3 import S3Objects
from tams_segments.checking import check_storage
from tams_segments.config import SegmentsConfig
from tams_segments.copier import Copier
from tams_segments.copy_worker import LEASE
from tams_segments.origins import Origins
from tams_segments.outside import Outside
from tests import seaweed
from tests.common.eventually import eventually
from tests.conformance import rule
from tests.segments.copying_rig import MIB, SECOND, A, ask, copied, copying, jobs, labels, media
from tests.segments.rig import FLOW, Rig, segment

ALLOWED = "127.0.0.1"


class Elsewhere:
    """A server of somebody else's with one object, which has no version; its answers are counted from 1 on."""

    def __init__(self) -> None:
        self.data = b""
        self.asked = 0
        self.refused: set[int] = set()
        self.held: dict[int, asyncio.Event] = {}

    async def answer(self, _: web.Request) -> web.StreamResponse:
        """The object as it is when it is asked for, in some answers later than that."""
        self.asked += 1
        number, data = self.asked, self.data
        if number in self.held:
            await self.held[number].wait()
        return web.Response(status=503 if number in self.refused else 200, body=data)

    def hold(self, number: int) -> asyncio.Event:
        """Holds an answer back until the event is set."""
        return self.held.setdefault(number, asyncio.Event())

    async def heard(self, number: int) -> None:
        """Waits until so many answers were asked for."""
        await eventually(lambda: self.asked >= number)


class Worker:
    """Another replica that makes copies, in small steps."""

    def __init__(self, rig: Rig, stack: AsyncExitStack) -> None:
        backends: dict[str, Objects] = {objects.backend.id: objects for objects in rig.parts.objects}
        self._rig = rig
        self._lease = Lease(LEASE, new_id(), clock=rig.clock)
        origins = Origins(backends, Outside(ALLOWED))
        self._copier = Copier(rig.store, backends, origins=origins, lease=self._lease, new_id=new_id)
        stack.push_async_callback(self._copier.close)

    async def take_over(self) -> None:
        """Takes the lease, which has lapsed by now."""
        self._rig.clock.now += 11 * S
        assert await self._rig.store.run(self._lease.take)

    async def start(self) -> "asyncio.Task[None]":
        """Takes over, and begins to make the only copy."""
        await self.take_over()
        (job,) = await jobs(self._rig)
        return asyncio.create_task(self._copier.make(job))

    async def work(self) -> None:
        """Takes over, and makes the only copy, as far as that can be done."""
        await (await self.start())


@pytest.fixture(params=["local", "s3"])
async def target(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    """The backend that is copied to; the rig opens it."""
    if request.param == "local":
        backend = Backend(StorageId(SECOND), "http_object_store", "local", "tams-local", label="second")
        return LocalObjects(tmp_path / "second", url_lifetime=300, backend=backend)
    bucket = S3Objects(seaweed.declared(tmp_path, label="second", default=False), url_lifetime=300)
    await bucket.open()
    await bucket.prepare(create=True)
    await bucket.close()
    return bucket


@pytest.fixture
async def rig(tmp_path: Path, target: Objects) -> AsyncIterator[Rig]:
    async with copying(tmp_path, config=SegmentsConfig(copy_allow=ALLOWED), targets=[target]) as made:
        yield made


@pytest.fixture
async def elsewhere(rig: Rig, target: Objects) -> AsyncIterator[Elsewhere]:
    """An object that is only elsewhere, and is to be copied to the target."""
    made = Elsewhere()
    app = web.Application()
    app.router.add_get("/media", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, ALLOWED, 0).start()
    url = f"http://{ALLOWED}:{runner.addresses[0][1]}/media"
    item = segment(A, "[0:0_1:0)", get_urls=[{"url": url, "label": "elsewhere"}])
    await rig.client.post(f"/flows/{FLOW}/segments", item)
    await ask(rig, storage_id=target.backend.id)
    yield made
    await runner.cleanup()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def shown(rig: Rig, target: Objects) -> bytes:
    """The bytes that a client gets from the target, when all that is due has been removed and all agrees."""
    rig.clock.now += 2 * 3600 * S
    await rig.collector.sweep()
    report = await check_storage(rig.store, [target], options=Options(grace=0), clock=system_clock)
    assert (report.findings, report.backends[0].stored) == ([], 1)
    if isinstance(target, LocalObjects):
        return await copied(rig, storage_id=target.backend.id)
    query = f"accept_storage_ids={target.backend.id}"
    (url,) = (await rig.client.get(f"/objects/{A}?{query}")).json()["get_urls"]
    async with aiohttp.ClientSession() as session, session.get(url["url"]) as response:
        assert response.status == 200
        return await response.read()


SIZES = pytest.mark.parametrize("size", [5, 17 * MIB], ids=str)


@SIZES
@rule("INS-1", "INS-8")
async def test_what_was_begun_earlier_is_given_up_too_late(
    rig: Rig, target: Objects, *, elsewhere: Elsewhere, stack: AsyncExitStack, size: int
) -> None:
    elsewhere.data = media(size)
    elsewhere.refused.add(2)
    late, other = Worker(rig, stack), Worker(rig, stack)
    await late.work()
    go_on = elsewhere.hold(3)
    held_up = await late.start()
    await elsewhere.heard(3)
    await other.work()
    assert await labels(rig) == ["second", "elsewhere"]
    go_on.set()
    with pytest.raises(LeaseLost):
        await held_up
    assert await shown(rig, target) == elsewhere.data


@SIZES
@rule("INS-1", "INS-8")
async def test_the_bytes_of_an_original_that_has_changed_since_come_too_late(
    rig: Rig, target: Objects, *, elsewhere: Elsewhere, stack: AsyncExitStack, size: int
) -> None:
    elsewhere.data = bytes(size)
    go_on = elsewhere.hold(2)
    held_up = await Worker(rig, stack).start()
    await elsewhere.heard(2)
    elsewhere.data = media(size)
    await Worker(rig, stack).work()
    assert await labels(rig) == ["second", "elsewhere"]
    go_on.set()
    with pytest.raises(LeaseLost):
        await held_up
    assert await shown(rig, target) == elsewhere.data


@SIZES
@rule("INS-1", "INS-8")
async def test_a_worker_that_has_the_lease_again_does_not_show_what_was_given_up_meanwhile(
    rig: Rig, target: Objects, *, elsewhere: Elsewhere, stack: AsyncExitStack, size: int
) -> None:
    elsewhere.data = media(size)
    first, second = Worker(rig, stack), Worker(rig, stack)
    first_goes_on, second_goes_on = elsewhere.hold(2), elsewhere.hold(4)
    of_first = await first.start()
    await elsewhere.heard(2)
    of_second = await second.start()
    await elsewhere.heard(4)
    await first.take_over()
    first_goes_on.set()
    await of_first
    assert await labels(rig) == ["elsewhere"]
    second_goes_on.set()
    with pytest.raises(LeaseLost):
        await of_second
    await first.work()
    assert await labels(rig) == ["second", "elsewhere"]
    assert await shown(rig, target) == elsewhere.data
