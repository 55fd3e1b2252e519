"""Kills under a mixed load of media: in the end index and stored bytes agree, to the last byte."""

import asyncio
import os
import random
from pathlib import Path

import aiohttp

from tams_common.clock import system_clock
from tams_common.config import Common, read
from tams_common.objects.checking import Options, Report
from tams_common.runtime import wiring
from tams_segments.checking import check_storage
from tams_segments.service import SERVICE
from tests.chaos.fleet import Fleet, fleet
from tests.chaos.load import Client, Editor
from tests.common.eventually import eventually

KILLS = max(3, int(os.environ.get("TAMS_TEST_KILLS", "3")) // 2)
SEED = int(os.environ.get("TAMS_TEST_SEED", "1"))
EDITORS = 3
PATIENCE = 120.0
FIRST, SECOND = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def backends(folder: Path) -> str:
    """Two backends on this machine, as `TAMS_OBJECTS_URL`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "backends.toml"
    file.write_text(
        "".join(
            f'[[backend]]\nkind = "local"\nid = "{id_}"\nlabel = "{label}"\ndirectory = "{folder / label}"\n'
            f"default = {str(label == 'first').lower()}\n\n"
            for id_, label in ((FIRST, "first"), (SECOND, "second"))
        )
    )
    return f"s3:{file}"


async def compare(data: Path, objects: str) -> Report:
    """What `tams storage check` would find, with no time of grace."""
    common = read(Common, "TAMS_", environ={"TAMS_STORE_URL": f"sqlite:{data}", "TAMS_OBJECTS_URL": objects})
    store, places = wiring.make_store(common, SERVICE.name, tables=SERVICE.tables), wiring.make_objects(common)
    await store.open()
    for place in places:
        await place.open()
    try:
        return await check_storage(store, places, options=Options(grace=0, repair=False), clock=system_clock)
    finally:
        for place in places:
            await place.close()
        await store.close()


async def settled(client: Client) -> bool:
    """Whether no deletion is under way any more."""
    _, requests = await client.call("GET", "/flow-delete-requests?limit=1000")
    return all(request["status"] == "done" for request in requests)


async def kill_one(running: Fleet, draw: random.Random, *, editors: list[Editor]) -> None:
    """Kills a replica of segments or catalog in the middle of the load, and brings it back."""
    victim = draw.choice([replica for replica in running.replicas if replica.name in ("segments", "catalog")])
    wanted = sum(editor.done for editor in editors) + draw.randrange(3, 15)
    await eventually(lambda: sum(editor.done for editor in editors) >= wanted, patience=PATIENCE)
    await victim.kill()
    await victim.start()


async def test_index_and_bytes_agree_after_kills(tmp_path: Path) -> None:
    data, draw, stop = tmp_path / "data", random.Random(SEED), asyncio.Event()
    objects = backends(tmp_path / "media")
    async with (
        fleet(data, bus=f"sqlite:{data}", objects=objects) as running,
        aiohttp.ClientSession() as session,
    ):
        client = Client(session, running.gateways)
        editors = [Editor(client, random.Random(draw.random()), copies_to=SECOND) for _ in range(EDITORS)]
        async with asyncio.TaskGroup() as working:
            for editor in editors:
                working.create_task(editor.run(stop=stop))
            for _ in range(KILLS):
                await kill_one(running, draw, editors=editors)
            stop.set()

        async def agree() -> bool:
            report = await compare(data, objects)
            assert report.agrees, report
            return not any(sums.waiting for sums in report.backends) and await settled(client)

        await eventually(agree, patience=PATIENCE)
        report = await compare(data, objects)
        assert {sums.label: sums.stored > 0 for sums in report.backends} == {"first": True, "second": True}
