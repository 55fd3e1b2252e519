"""`tams storage check`: the tables against the stored bytes, both ways (TMO-2, TMO-3)."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from click.testing import CliRunner, Result

from tams_common.clock import SECOND, system_clock
from tams_common.errors import NotFound
from tams_common.objects import Upload
from tams_common.objects.checking import Options, Report
from tams_common.objects.local.files import path_of
from tams_common.objects.port import STALLED
from tams_common.runtime.cli import main
from tams_common.store import Tx
from tams_segments.checking import check_storage
from tams_segments.tables import OBJECTS
from tams_segments.upkeep import Upkeep
from tests.segments.rig import FLOW, Catalog, Rig, running, seconds
from tests.stores import environ_of

GRACE = 600
HOUR = 3600 * SECOND


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path / "media", directory=tmp_path, catalog=Catalog()) as made:
        made.catalog.put(FLOW)
        await started(made)
        yield made


async def check(rig: Rig, *, repair: bool = False, force: bool = False, later: int = HOUR) -> Report:
    """What a check finds an hour (ns) after everything was stored."""
    options = Options(grace=GRACE, repair=repair, force=force)
    return await check_storage(rig.store, [rig.objects], options=options, clock=lambda: system_clock() + later)


async def started(rig: Rig) -> None:
    """What the first start leaves behind: the store's mark."""
    upkeep = next(behaviour for behaviour in rig.built.behaviours if isinstance(behaviour, Upkeep))
    assert await upkeep.look()


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


async def test_no_more_than_a_share_is_removed_without_force(rig: Rig) -> None:
    """Tables from a backup do not know what was stored since."""
    await media(rig, 3)
    orphans = [str(uuid4()) for _ in range(11)]
    await upload(rig, *orphans)
    report = await check(rig, repair=True)
    (sums,) = report.backends
    assert (report.agrees, sums.orphaned, sums.removed) == (False, 11, 0)
    assert "11 of 14 objects" in sums.refused
    assert "--force" in sums.refused
    await rig.objects.delete(orphans[0])
    assert (await check(rig, repair=True)).backends[0].removed == 10
    await upload(rig, *orphans)
    report = await check(rig, repair=True, force=True)
    assert (report.agrees, report.backends[0].removed) == (True, 11)


async def test_a_tenth_may_be_removed_where_there_is_much(rig: Rig) -> None:
    await media(rig, 108)
    await upload(rig, *[str(uuid4()) for _ in range(12)])
    assert (await check(rig, repair=True)).backends[0].removed == 12


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


async def test_damaged_files_are_told_of_and_the_rest_is_checked(rig: Rig) -> None:
    names = await media(rig, 4)
    keys = [await key_of(rig, name) for name in names]
    path_of(rig.objects.directory, keys[0]).write_bytes(b"")
    path_of(rig.objects.directory, keys[1]).write_bytes(b"cut off")
    await rig.objects.delete(keys[2])
    await upload(rig, unknown := str(uuid4()))
    path_of(rig.objects.directory, unknown).write_bytes(b"")
    report = await check(rig, repair=True)
    assert not report.agrees
    (sums,) = report.backends
    assert (sums.unknown, sums.refused, sums.damaged, sums.missing, sums.stored) == ("", "", 3, 1, 1)
    damaged = {(found.key, found.object_id) for found in report.findings if found.kind == "damaged"}
    assert damaged == {(keys[0], names[0]), (keys[1], names[1]), ("", None)}
    for found in report.findings:
        assert found.kind == "missing" or (rig.objects.directory / found.file).is_file()


async def test_uploads_that_were_cut_off_are_abandoned_after_a_day(rig: Rig) -> None:
    await media(rig, 1)
    upload = await rig.objects.begin(str(uuid4()), content_type="video/mp2t", size=100)
    await rig.objects.append(upload, b"x" * 50, at=0)
    report = await check(rig)
    assert (report.agrees, report.backends[0].unfinished, report.backends[0].abandoned) == (True, 1, 0)
    report = await check(rig, later=STALLED + HOUR)
    (found,) = report.findings
    assert (found.kind, found.size, found.removed, report.agrees) == ("abandoned", 50, False, False)
    report = await check(rig, repair=True, later=STALLED + HOUR)
    assert (report.agrees, report.backends[0].removed) == (True, 1)
    with pytest.raises(NotFound):
        await rig.objects.arrived(upload)


async def test_upkeep_removes_uploads_that_were_cut_off_and_no_others(rig: Rig) -> None:
    def begin() -> Awaitable[Upload]:
        return rig.objects.begin(str(uuid4()), content_type="video/mp2t", size=100)

    old, young = await begin(), await begin()
    for part in rig.objects.directory.glob("*/*.part"):
        moment = rig.clock.now - (STALLED + SECOND if old.id in part.name else STALLED - SECOND)
        os.utime(part, ns=(moment, moment))
    await started(rig)
    with pytest.raises(NotFound):
        await rig.objects.arrived(old)
    assert await rig.objects.arrived(young) == 0


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
    titles, row, finding, _, advice, verdict = result.output.splitlines()
    assert titles.split()[:6] == ["backend", "id", "instances", "stored", "bytes", "missing"]
    assert row.split()[2:] == ["2", "1", "5", "1", "0", "0", "0", "0"]
    assert finding == f"missing in local: {lost} of object {names[0]}"
    assert advice.startswith("missing: ")
    assert verdict == "tables and storage do not agree"
    report: dict[str, Any] = msgspec.json.decode(
        (await asyncio.to_thread(lambda: tams.check("--json", status=1))).output
    )
    found = msgspec.convert(report, Report)
    assert [(each.kind, each.object_id) for each in found.findings] == [("missing", names[0])]
    await upload(rig, lost)
    result = await asyncio.to_thread(lambda: tams.check("--repair", status=0))
    assert result.output.splitlines()[2:] == ["", "tables and storage agree"]
    await asyncio.to_thread(lambda: tams.check("--force", status=2))


def test_tables_that_are_not_migrated_are_not_checked(tmp_path: Path) -> None:
    assert "tams tables migrate" in Tams(tmp_path).check(status=1).output


async def _bytes() -> AsyncIterator[bytes]:
    yield b"media"
