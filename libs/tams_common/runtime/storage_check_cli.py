"""`tams storage check`: whether the tables and the stored bytes of media agree."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import click
import msgspec

from tams_common.clock import date_time, system_clock
from tams_common.config import Common, read
from tams_common.errors import StartRefused
from tams_common.objects.checking import Finding, Kind, Options, Report, Sums
from tams_common.runtime import registry
from tams_common.runtime.aligned import print_aligned
from tams_common.runtime.service import Keeper
from tams_common.store import Store

STORE = click.option("--store", default=None, metavar="URL", help="Where the tables are; otherwise TAMS_STORE_URL.")
OBJECTS = click.option("--objects", default=None, metavar="URL", help="The backends; otherwise TAMS_OBJECTS_URL.")
_TITLES: Final = (
    *("backend", "id", "instances", "stored", "bytes", "missing", "damaged", "orphaned", "abandoned", "removed"),
    *("waiting", "young", "foreign", "unfinished"),
)
_MEANING: Final[dict[Kind, str]] = {
    "missing": "the bytes of an object are not there, downloads fail: bring them back from a backup, or delete the "
    "instance or the segments",
    "damaged": "a file cannot be read: bring it back from a backup, or delete the instance or the segments; one "
    "without an object can be removed by hand",
    "orphaned": "no object has these bytes: `tams storage check --repair` removes them",
    "abandoned": "an upload was cut off more than a day ago: `tams storage check --repair` removes what has arrived",
}
"""What a finding is to an operator, and what can be done."""
_SHOWN: Final = 100
"""Findings that are listed one by one; `--json` has them all."""


@click.command()
@STORE
@OBJECTS
@click.option("--repair", is_flag=True, help="Remove orphaned bytes that are old enough, and abandoned uploads.")
@click.option("--force", is_flag=True, help="With --repair: also where that is more than a tenth of all objects.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
def check(store: str | None, objects: str | None, *, repair: bool, force: bool, as_json: bool) -> None:
    """Compare the tables with the stored bytes, both ways. Exit status 1 when they do not agree in the end.

    The store may be running meanwhile. Nothing is changed without --repair, which never touches an object's bytes.

    Of the bytes that no object has, those are left alone that the store is about to remove by itself (waiting), that
    are younger than TAMS_MIN_OBJECT_TIMEOUT (young), or that are not this store's (foreign).
    """
    if force and not repair:
        raise click.UsageError("--force goes with --repair")
    report = asyncio.run(_check(common_of(objects, store=store), repair=repair, force=force))
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        _print(report)
    if not report.agrees:
        raise SystemExit(1)


def common_of(objects: str | None, *, store: str | None = None) -> Common:
    """The configuration, with what the command line says in place of the environment."""
    given = {"TAMS_STORE_URL": store, "TAMS_OBJECTS_URL": objects}
    return read(Common, "TAMS_", environ=dict(os.environ) | {name: url for name, url in given.items() if url})


@asynccontextmanager
async def media_tables(common: Common) -> AsyncIterator[tuple[Keeper, Store]]:
    """The keeper of media and its tables; raises `StartRefused` or `Unavailable` when they cannot be read."""
    from tams_common.runtime import wiring

    service = next((service for service in registry.load_all() if service.keeper is not None), None)
    if service is None or service.keeper is None:
        raise StartRefused("no installed service keeps media objects: install tams-segments")
    store = wiring.make_store(common, service.name, tables=service.tables)
    await store.open()
    try:
        missing = await store.unmigrated()
        if missing:
            raise StartRefused(f"tables are not migrated: {', '.join(missing)}; run `tams tables migrate`")
        yield service.keeper, store
    finally:
        await store.close()


async def _check(common: Common, *, repair: bool, force: bool) -> Report:
    from tams_common.runtime import wiring

    async with media_tables(common) as (keeper, store), AsyncExitStack() as stack:
        backends = wiring.make_objects(common)
        for objects in backends:
            await objects.open()
            stack.push_async_callback(objects.close)
        options = Options(grace=common.min_object_timeout, repair=repair, force=force)
        return await keeper.check(store, backends, options=options, clock=system_clock)


def _print(report: Report) -> None:
    print_aligned(_TITLES, [_cells(sums) for sums in report.backends])
    names = {sums.storage_id: sums.label or sums.storage_id for sums in report.backends}
    for finding in report.findings[:_SHOWN]:
        click.echo(f"{finding.kind} in {names[finding.storage_id]}: {_told(finding)}")
    if len(report.findings) > _SHOWN:
        click.echo(f"… and {len(report.findings) - _SHOWN} more; --json has them all")
    click.echo()
    left = {finding.kind for finding in report.findings if not finding.removed}
    for kind, meaning in _MEANING.items():
        if kind in left:
            click.echo(f"{kind}: {meaning}")
    for sums in report.backends:
        if sums.unknown:
            click.echo(f"{names[sums.storage_id]} could not be compared in full: {sums.unknown}")
        if sums.refused:
            click.echo(f"{names[sums.storage_id]} was not repaired: {sums.refused}")
    click.echo("tables and storage agree" if report.agrees else "tables and storage do not agree")


def _told(finding: Finding) -> str:
    """What is known of one finding, in one line."""
    words = [finding.key or f"file {finding.file}"]
    if finding.object_id:
        words.append(f"of object {finding.object_id}")
    if finding.key and finding.file:
        words.append(f"in file {finding.file}")
    if finding.modified:
        words.append(f"({finding.size} bytes, written {date_time(finding.modified)})")
    return f"{' '.join(words)}{', removed' if finding.removed else ''}"


def _cells(sums: Sums) -> tuple[str, ...]:
    counts = (sums.instances, sums.stored, sums.bytes, sums.missing, sums.damaged, sums.orphaned, sums.abandoned)
    left = (sums.waiting, sums.young, sums.foreign, sums.unfinished)
    found = (*counts, sums.removed)
    return (sums.label, sums.storage_id, *map(str, found), *(str(count or "") for count in left))
