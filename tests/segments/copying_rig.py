"""The service with two backends in directories, and objects large enough to be copied in several parts."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tams_common.ids import StorageId
from tams_common.objects import Backend, Objects
from tams_common.objects.local import LocalObjects
from tams_common.store import Query
from tams_segments.config import SegmentsConfig
from tams_segments.copy_jobs import Progress, progress_of
from tams_segments.instances import controlled
from tams_segments.tables import COPIES, OBJECTS, CopyJob
from tests.segments.rig import FLOW, Rig, object_id, running, segment

MIB: Final = 1024 * 1024
SECOND: Final = object_id(101)
A, B = object_id(1), object_id(2)


def media(size: int) -> bytes:
    """Bytes that do not repeat."""
    return random.Random(size).randbytes(size)


@asynccontextmanager
async def copying(
    directory: Path, *, config: SegmentsConfig | None = None, targets: Sequence[Objects] = ()
) -> AsyncIterator[Rig]:
    """The service on tables in `directory`; `targets` replaces the second backend."""
    backend = Backend(StorageId(SECOND), "http_object_store", "local", "tams-local", label="second")
    second = LocalObjects(directory / "second", url_lifetime=300, backend=backend)
    async with running(
        directory / "media", directory=directory, config=config or SegmentsConfig(), more=targets or (second,)
    ) as rig:
        rig.catalog.put(FLOW)
        yield rig


async def registered(rig: Rig, data: bytes | None, *, name: str = A, at: int = 0) -> None:
    """An object in the flow, with its bytes unless there are none yet."""
    await rig.allocate(name)
    if data is not None:
        await rig.upload(name, data)
    await rig.client.post(f"/flows/{FLOW}/segments", segment(name, f"[{at}:0_{at + 1}:0)"))


async def ask(rig: Rig, name: str = A, *, storage_id: str = SECOND) -> None:
    """Asks for a copy."""
    await rig.client.post(f"/objects/{name}/instances", {"storage_id": storage_id})


async def labels(rig: Rig, name: str = A) -> list[str]:
    """The labels of the object's URLs."""
    return [url["label"] for url in (await rig.client.get(f"/objects/{name}")).json()["get_urls"]]


async def jobs(rig: Rig) -> list[CopyJob]:
    """The copies that are to be made."""
    return (await rig.store.read(lambda tx: tx.scan(COPIES, Query()))).rows


async def begun(rig: Rig) -> Progress:
    """What has been begun of the only copy."""
    (job,) = await jobs(rig)
    progress = progress_of(job)
    assert progress is not None
    return progress


async def copied(rig: Rig, name: str = A, *, storage_id: str = SECOND) -> bytes:
    """The bytes of an instance, as its URL gives them."""
    query = f"accept_storage_ids={storage_id}"
    (url,) = (await rig.client.get(f"/objects/{name}?{query}")).json()["get_urls"]
    return (await rig.client.get(url["url"])).body


async def keys(rig: Rig, name: str = A) -> list[str]:
    """The keys of the object's controlled instances."""
    known = await rig.store.read(lambda tx: tx.get(OBJECTS, (name,)))
    return [] if known is None else [one.storage_key for one in controlled(known)]


def value(rig: Rig, metric: str) -> float:
    """A metric."""
    found = rig.parts.registry.get_sample_value(metric)
    assert found is not None
    return found
