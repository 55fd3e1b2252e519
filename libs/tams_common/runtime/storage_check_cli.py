"""`tams storage check`: whether the tables and the stored bytes of media agree."""

import asyncio
import os
from contextlib import AsyncExitStack
from typing import Final

import click
import msgspec

from tams_common.clock import system_clock
from tams_common.config import Common, read
from tams_common.errors import StartRefused
from tams_common.objects.checking import Options, Report, Sums
from tams_common.runtime import registry
from tams_common.runtime.aligned import print_aligned
from tams_common.runtime.service import AnyService, StorageCheck

_STORE = click.option("--store", default=None, metavar="URL", help="Where the tables are; otherwise TAMS_STORE_URL.")
_OBJECTS = click.option("--objects", default=None, metavar="URL", help="The backends; otherwise TAMS_OBJECTS_URL.")
_TITLES: Final = (
    *("backend", "id", "instances", "stored", "bytes", "missing", "orphaned", "removed"),
    *("waiting", "young", "foreign", "not known because"),
)
_SHOWN: Final = 100
"""Findings that are listed one by one; `--json` has them all."""


@click.command()
@_STORE
@_OBJECTS
@click.option("--repair", is_flag=True, help="Remove bytes that nothing refers to, once they are old enough.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
def check(store: str | None, objects: str | None, *, repair: bool, as_json: bool) -> None:
    """Compare the tables with the stored bytes, both ways; exit status 1 when they do not agree in the end.

    Bytes count as young, and stay, for as long as an object that is not registered is kept (TAMS_MIN_OBJECT_TIMEOUT).
    The store may be running meanwhile.
    """
    given = {"TAMS_STORE_URL": store, "TAMS_OBJECTS_URL": objects}
    environ = dict(os.environ) | {name: url for name, url in given.items() if url}
    report = asyncio.run(_check(read(Common, "TAMS_", environ=environ), repair=repair))
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        _print(report)
    if not report.agrees:
        raise SystemExit(1)


async def _check(common: Common, *, repair: bool) -> Report:
    from tams_common.runtime import wiring

    service, check_storage = _service()
    async with AsyncExitStack() as stack:
        store = wiring.make_store(common, service.name, tables=service.tables)
        backends = wiring.make_objects(common)
        await store.open()
        stack.push_async_callback(store.close)
        for objects in backends:
            await objects.open()
            stack.push_async_callback(objects.close)
        missing = await store.unmigrated()
        if missing:
            raise StartRefused(f"tables are not migrated: {', '.join(missing)}; run `tams tables migrate`")
        options = Options(grace=common.min_object_timeout, repair=repair)
        return await check_storage(store, backends, options=options, clock=system_clock)


def _service() -> tuple[AnyService, StorageCheck]:
    for service in registry.load_all():
        if service.check_storage is not None:
            return service, service.check_storage
    raise StartRefused("no installed service keeps media objects: install tams-segments")


def _print(report: Report) -> None:
    print_aligned(_TITLES, [_cells(sums) for sums in report.backends])
    for finding in report.findings[:_SHOWN]:
        of = f" of object {finding.object_id}" if finding.object_id else ""
        click.echo(f"{finding.kind}: {finding.key}{of}{', removed' if finding.removed else ''}")
    if len(report.findings) > _SHOWN:
        click.echo(f"… and {len(report.findings) - _SHOWN} more; --json has them all")


def _cells(sums: Sums) -> tuple[str, ...]:
    counts = (sums.instances, sums.stored, sums.bytes, sums.missing, sums.orphaned, sums.removed)
    left = (sums.waiting, sums.young, sums.foreign)
    return (sums.label, sums.storage_id, *map(str, counts), *(str(count or "") for count in left), sums.unknown)
