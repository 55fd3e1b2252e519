"""Kills under a mixed load of media: what was acknowledged holds, and index and stored bytes agree to the last one.

`docs/chaos.md` says what is killed, and what is held against what.
"""

import asyncio
import hashlib
import random
import time
from collections import Counter
from pathlib import Path

import aiohttp

from tests import seaweed
from tests.chaos.acknowledged import Ledger
from tests.chaos.fleet import Fleet, Replica, fleet
from tests.chaos.inside import Inside, inside
from tests.chaos.load import Client, Editor
from tests.chaos.report import KILLS, SEED, record
from tests.common.eventually import eventually
from tests.system import processes
from tools.seaweed import write_storage_file

EDITORS = 3
ENOUGH = max(3, KILLS // 2)
"""Kills: each is followed by more than those of the ledger are."""
ROLES = {"segments": 4, "catalog": 2, "api-gateway": 1, "copies": 1, "deletions": 1}
"""How often each is killed; "copies" and "deletions" stand for all of segments in the midst of one."""
PATIENCE = 120.0
PLACES = {
    "11111111-1111-4111-8111-111111111111": "first",
    "22222222-2222-4222-8222-222222222222": "second",
    "33333333-3333-4333-8333-333333333333": "bucket",
}
HASTY = {
    "TAMS_SEGMENTS_DELETE_BUDGET": "0",
    "TAMS_SEGMENTS_DELETE_BATCH": "2",
    "TAMS_SEGMENTS_DELETE_INTERVAL": "0.2",
    "TAMS_SEGMENTS_COLLECT_INTERVAL": "0.5",
    "TAMS_SEGMENTS_COPY_INTERVAL": "0.5",
}
"""Every deletion is answered 202, and takes many transactions."""


async def declare(folder: Path) -> str:
    """Two backends in directories and one in S3, as `TAMS_OBJECTS_URL`."""
    folder.mkdir()
    first, second, bucket = ({"id": id_, "label": label} for id_, label in PLACES.items())
    write_storage_file(
        folder / "storage.toml",
        {"kind": "local", "directory": str(folder / "first"), "default": True} | first,
        {"kind": "local", "directory": str(folder / "second")} | second,
        seaweed.server().backend(seaweed.new_bucket(), **bucket),
    )
    url = f"s3:{folder / 'storage.toml'}"
    status, output = await processes.run("storage", "init", "--create", "--objects", url)
    assert status == 0, output
    return url


class Killer:
    """Kills, and brings back; `met` counts what was under way when it did."""

    def __init__(self, running: Fleet, within: Inside, *, draw: random.Random, editors: list[Editor]) -> None:
        self.met: Counter[str] = Counter()
        self._running = running
        self._within = within
        self._draw = draw
        self._editors = editors

    async def run(self, *, mover: Editor) -> None:
        """Kills all that is to be killed; `mover` is whose copies and deletions are met in their midst."""
        first = ["copies", "deletions", "catalog", "segments"]
        self._draw.shuffle(first)
        await self._more_is_done(Editor.STEPS * len(self._editors))
        while self._running.kills.total() < ENOUGH or first:
            await self._more_is_done(self._draw.randrange(3, 15))
            role = first.pop() if first else self._draw.choices(list(ROLES), list(ROLES.values()))[0]
            if role == "copies":
                await self._in_a_copy(mover)
            elif role == "deletions":
                await self._in_a_deletion(mover)
            else:
                await self._kill(self._draw.choice(self._running.of(role)))

    async def _more_is_done(self, steps: int) -> None:
        wanted = sum(editor.done for editor in self._editors) + steps
        await eventually(lambda: sum(editor.done for editor in self._editors) >= wanted, patience=PATIENCE)

    async def _kill(self, *victims: Replica) -> None:
        self.met["open deletions"] += await self._within.deletions()
        self.met["copies to be made"] += await self._within.copies()
        await asyncio.gather(*(self._running.kill(victim) for victim in victims))
        await asyncio.gather(*(victim.start() for victim in victims))

    async def _in_a_copy(self, mover: Editor) -> None:
        """Kills all of segments at once, when parts of a copy have arrived and others have not."""
        victims = self._running.of("segments")
        while True:
            await mover.record_large()
            while await self._within.copies():
                if await self._within.halves():
                    for victim in victims:
                        victim.freeze()
                    if await self._within.halves():
                        self.met["copies half made"] += 1
                        await self._kill(*victims)
                        return
                    for victim in victims:
                        victim.thaw()

    async def _in_a_deletion(self, mover: Editor) -> None:
        """Kills all of segments at once, when a deletion has been answered and is not done."""
        victims = self._running.of("segments")
        while True:
            await mover.delete_many()
            for victim in victims:
                victim.freeze()
            if await self._within.deletions():
                await self._kill(*victims)
                return
            for victim in victims:
                victim.thaw()


async def check_objects(client: Client, ledger: Ledger) -> int:
    """Every object that is used has exactly the instances that were asked for, whole; the bytes that were read."""
    read = 0
    for name, media in ledger.media.items():
        uses = ledger.uses(name)
        status, found = await client.call("GET", f"/objects/{name}")
        if True not in uses:
            assert status == 404 or None in uses, f"{name} is used by nothing, and there: {found}"
            continue
        assert status == 200, f"{name} is used, and not there"
        copies = {home for home, done in media.copies.items() if done}
        shown = {place for place, label in PLACES.items() if any(url["label"] == label for url in found["get_urls"])}
        assert {media.home} | copies <= shown <= {media.home} | media.copies.keys(), (name, media, found)
        for url in found["get_urls"]:
            data = await client.download(url["url"])
            assert hashlib.sha256(data).digest() == media.digest, f"{name} has other bytes in {url['label']}"
            read += len(data)
    return read


async def check_deletions(client: Client, ledger: Ledger) -> None:
    """Every 202 has come to its end, and no deletion is there that nobody asked for."""
    for name in ledger.deletions:
        status, found = await client.call("GET", f"/flow-delete-requests/{name}")
        assert (status, found["status"]) == (200, "done"), found
    _, listed = await client.call("GET", "/flow-delete-requests?limit=1000")
    unknown = {found["id"] for found in listed} - ledger.deletions
    assert len(unknown) <= ledger.cut_off["ranges deleted"] + ledger.cut_off["flows deleted"], unknown
    assert all(found["status"] == "done" for found in listed)


async def test_what_was_acknowledged_holds_and_index_and_bytes_agree(tmp_path: Path) -> None:
    data, draw, stop, ledger = tmp_path / "data", random.Random(SEED), asyncio.Event(), Ledger()
    objects, places, began = await declare(tmp_path / "media"), list(PLACES), time.monotonic()
    async with (
        fleet(data, bus=f"sqlite:{data}", objects=objects, environ=HASTY) as running,
        inside(data, objects=objects) as within,
        aiohttp.ClientSession() as session,
    ):
        client = Client(session, running.gateways)
        *editors, mover = [
            Editor(client, ledger, draw=random.Random(draw.random()), places=places) for _ in range(EDITORS + 1)
        ]
        killer = Killer(running, within, draw=draw, editors=editors)
        async with asyncio.TaskGroup() as working:
            for editor in editors:
                working.create_task(editor.run(stop=stop))
            await killer.run(mover=mover)
            stop.set()
        for editor in (*editors, mover):
            await eventually(editor.is_whole, patience=PATIENCE)
            await editor.compare()

        async def settled() -> bool:
            return not (await within.copies() or await within.deletions())

        async def agrees() -> bool:
            await within.collect_later()
            report = await within.compare()
            assert report.agrees, report
            assert not any(sums.waiting for sums in report.backends), report
            return not await within.owed()

        await eventually(settled, patience=PATIENCE)
        await eventually(agrees, patience=PATIENCE)
        for editor in (*editors, mover):
            await editor.compare()
        await check_deletions(client, ledger)
        read = await check_objects(client, ledger)
        report = await within.compare()
    for path in data.glob("*.log"):
        log = path.read_text()
        assert "Traceback" not in log, path
        assert "bytes have arrived" not in log, f"a copy could not go on where it was cut off: {path}"
    assert killer.met["open deletions"]
    assert killer.met["copies half made"]
    record(
        f"Media: {running.kills.total()} kills",
        {
            "seconds": time.monotonic() - began,
            "kills": running.kills,
            "acknowledged": ledger.acknowledged,
            "cut off by a kill": ledger.cut_off,
            "deletions answered 202, all done": len(ledger.deletions),
            "under way at kills": killer.met,
            "objects in the end": {sums.label: sums.stored for sums in report.backends},
            "bytes read back": read,
        },
    )
