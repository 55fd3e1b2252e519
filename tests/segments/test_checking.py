"""`tams storage check`: the tables against the stored bytes, both ways (TMO-2, TMO-3)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from click.testing import CliRunner, Result

from tams_common.clock import SECOND, system_clock
from tams_common.objects.checking import Options, Report
from tams_common.runtime.cli import main
from tams_common.store import Tx
from tams_segments.checking import check_storage
from tams_segments.tables import OBJECTS
from tests.segments.rig import FLOW, Catalog, Rig, running, seconds
from tests.stores import environ_of

GRACE = 600
HOUR = 3600 * SECOND


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path / "media", directory=tmp_path, catalog=Catalog()) as made:
        made.catalog.put(FLOW)
        yield made


async def check(rig: Rig, *, repair: bool = False) -> Report:
    """What a check finds an hour after everything was stored."""
    options = Options(grace=GRACE, repair=repair)
    return await check_storage(rig.store, [rig.objects], options=options, clock=lambda: system_clock() + HOUR)


async def key_of(rig: Rig, name: str) -> str:
    row = await rig.store.read(lambda tx: tx.get(OBJECTS, (name,)))
    assert row is not None
    assert row.storage_key is not None
    return row.storage_key


async def upload(rig: Rig, *keys: str) -> None:
    for key in keys:
        await rig.objects.put(key, _bytes(), headers={"content-type": "video/mp2t"})


async def media(rig: Rig, count: int) -> list[str]:
    """Segments with uploaded bytes; their objects."""
    names = await rig.add(*seconds(*range(count)))
    await upload(rig, *[await key_of(rig, name) for name in names])
    return names


def kinds(report: Report) -> list[tuple[str, str]]:
    return sorted((finding.kind, finding.key) for finding in report.findings)


async def test_a_store_that_agrees_has_nothing_to_tell(rig: Rig) -> None:
    await media(rig, 3)
    await rig.allocate("unused")
    report = await check(rig)
    assert report.agrees
    (sums,) = report.backends
    assert (sums.instances, sums.stored, sums.bytes, sums.label) == (4, 3, 15, "local")


async def test_missing_and_orphaned_bytes_are_found(rig: Rig) -> None:
    names = await media(rig, 3)
    lost, orphan = await key_of(rig, names[1]), str(uuid4())
    await rig.objects.delete(lost)
    await upload(rig, orphan)
    report = await check(rig)
    assert not report.agrees
    assert kinds(report) == [("missing", lost), ("orphaned", orphan)]
    assert next(finding.object_id for finding in report.findings if finding.key == lost) == names[1]
    (sums,) = report.backends
    assert (sums.missing, sums.orphaned, sums.orphaned_bytes, sums.removed) == (1, 1, 5, 0)
    assert await rig.objects.head(orphan) is not None


async def test_the_repair_removes_old_orphans_and_nothing_else(rig: Rig) -> None:
    names = await media(rig, 2)
    await rig.allocate("uploaded, not registered")
    await upload(rig, await key_of(rig, "uploaded, not registered"), orphan := str(uuid4()), "theirs/file")
    report = await check(rig, repair=True)
    assert report.agrees
    assert [(finding.key, finding.removed) for finding in report.findings] == [(orphan, True)]
    (sums,) = report.backends
    assert (sums.stored, sums.removed, sums.foreign) == (5, 1, 1)
    assert await rig.objects.head(orphan) is None
    for name in (*names, "uploaded, not registered"):
        assert await rig.objects.head(await key_of(rig, name)) is not None
    assert await rig.objects.head("theirs/file") is not None


async def test_bytes_that_the_collector_will_remove_are_no_orphans(rig: Rig) -> None:
    await media(rig, 2)
    await rig.client.delete(f"/flows/{FLOW}/segments")
    report = await check(rig, repair=True)
    assert report.agrees
    assert (report.backends[0].waiting, report.backends[0].removed) == (2, 0)
    await rig.collector.sweep()
    assert (await check(rig)).backends[0].stored == 0


async def test_young_bytes_are_left_alone(rig: Rig) -> None:
    await media(rig, 1)
    await upload(rig, orphan := str(uuid4()))
    options = Options(grace=GRACE, repair=True)
    report = await check_storage(rig.store, [rig.objects], options=options, clock=system_clock)
    assert report.agrees
    assert report.backends[0].young == 1
    assert await rig.objects.head(orphan) is not None


async def test_tables_that_know_nothing_remove_nothing(rig: Rig) -> None:
    await upload(rig, orphan := str(uuid4()))
    report = await check(rig, repair=True)
    assert not report.agrees
    assert "another store" in report.backends[0].unknown
    assert await rig.objects.head(orphan) is not None


async def test_instances_in_a_backend_that_is_not_configured_are_told_of(rig: Rig) -> None:
    (name,) = await media(rig, 1)

    def move(tx: Tx) -> None:
        row = tx.get(OBJECTS, (name,))
        assert row is not None
        tx.update(OBJECTS, [msgspec.structs.replace(row, storage_id="elsewhere")])

    await rig.store.run(move)
    report = await check(rig)
    assert [(sums.storage_id, sums.instances) for sums in report.backends][1:] == [("elsewhere", 1)]
    assert not report.agrees


async def test_a_damaged_file_is_told_of(rig: Rig) -> None:
    await media(rig, 2)
    damaged = next(path for path in rig.objects.directory.rglob("*") if path.is_file() and len(path.name) == 64)
    damaged.write_bytes(b"")
    report = await check(rig)
    assert not report.agrees
    assert "damaged" in report.backends[0].unknown


class Tams:
    """`tams storage check` on a data directory."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def check(self, *words: str, status: int) -> Result:
        where = {"TAMS_STORE_URL": f"sqlite:{self._data}", "TAMS_OBJECTS_URL": f"local:{self._data / 'media'}"}
        result = CliRunner().invoke(main, ["storage", "check", *words], env=where | environ_of(self._data))
        assert result.exit_code == status, result.output
        return result


async def test_the_command_prints_a_table_and_a_report(rig: Rig, tmp_path: Path) -> None:
    names = await media(rig, 2)
    lost = await key_of(rig, names[0])
    await rig.objects.delete(lost)
    tams = Tams(tmp_path)
    result = await asyncio.to_thread(lambda: tams.check(status=1))
    titles, row, finding = result.output.splitlines()
    assert titles.split()[:6] == ["backend", "id", "instances", "stored", "bytes", "missing"]
    assert row.split()[2:] == ["2", "1", "5", "1", "0", "0"]
    assert finding == f"missing: {lost} of object {names[0]}"
    report: dict[str, Any] = msgspec.json.decode(
        (await asyncio.to_thread(lambda: tams.check("--json", status=1))).output
    )
    found = msgspec.convert(report, Report)
    assert [(each.kind, each.object_id) for each in found.findings] == [("missing", names[0])]
    await upload(rig, lost)
    await asyncio.to_thread(lambda: tams.check("--repair", status=0))


def test_tables_that_are_not_migrated_are_not_checked(tmp_path: Path) -> None:
    assert "tams tables migrate" in Tams(tmp_path).check(status=1).output


async def _bytes() -> AsyncIterator[bytes]:
    yield b"media"
