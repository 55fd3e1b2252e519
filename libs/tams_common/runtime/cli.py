"""The one script `tams`: run a service or all of them, look after tables and tokens."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import click
import msgspec

from tams_common.config import Common, read, service_prefix
from tams_common.errors import TamsError
from tams_common.runtime import registry
from tams_common.runtime.service import AnyService
from tams_common.store import Store, TableStatus

_DATA = click.option("--data", default=".tams", type=click.Path(path_type=Path), help="Directory of the data [.tams].")
_STORE = click.option("--store", default=None, metavar="URL", help="Where the tables are; otherwise TAMS_STORE_URL.")


class Commands(click.Group):
    """Turns an error that an operator can mend into one line and exit status 1."""

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except TamsError as error:
            raise click.ClickException(error.detail) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Time-addressable Media Store: media in short segments on a timeline, every change an event."""


@main.command()
@click.option(
    "--listen", default=None, metavar="HOST:PORT", help="Where to serve [127.0.0.1:4010]; port 0: a free one."
)
@_DATA
@click.option("--token", default=None, help="Bearer token with every scope [made once, kept in DATA/token].")
@click.option("--store", default=None, metavar="URL", help="Tables: sqlite:DIRECTORY or sqlite::memory:.")
@click.option("--bus", default=None, metavar="URL", help="Events: sqlite:DIRECTORY or sqlite::memory:.")
@click.option("--objects", default=None, metavar="URL", help="Media: local:DIRECTORY or local::memory:.")
def dev(data: Path, **options: str | None) -> None:
    """Run the whole store in this process; nothing else is needed."""
    from tams_common.runtime import dev, process

    process.run(dev.serve(data, {name: value for name, value in options.items() if value}, environ=os.environ))


@main.command()
@click.argument("service")
@click.option("--listen", default=None, metavar="HOST:PORT", help="Where to serve; otherwise TAMS_LISTEN.")
def run(service: str, listen: str | None) -> None:
    """Run one SERVICE, configured by the environment."""
    from tams_common.runtime import process
    from tams_common.runtime.host import Host

    host = Host([registry.load(service)], dict(os.environ) | ({"TAMS_LISTEN": listen} if listen else {}))
    process.run(process.serve_until_signal(host, lambda: f"tams-{service} listens on {host.url}"))


@main.command()
def services() -> None:
    """List the installed services and the configuration keys of each."""
    _print_keys("every service", "TAMS_", kind=Common)
    for service in registry.load_all():
        _print_keys(service.name, service_prefix(service.name), kind=service.config)


@main.command()
@_DATA
def token(data: Path) -> None:
    """Print the development token of a data directory, and make it where there is none."""
    from tams_common.runtime.dev import dev_token

    click.echo(dev_token(data))


@main.group()
def tables() -> None:
    """Create, change and show the tables of the installed services."""


@tables.command()
@_STORE
def migrate(store: str | None) -> None:
    """Bring every table and projection up to its declaration."""

    async def bring_up(opened: Store) -> list[TableStatus]:
        await opened.migrate()
        return await opened.status()

    for service in _with_tables():
        for table in asyncio.run(_on_store(service, store, work=bring_up)):
            click.echo(f"{service.name:10} {table.name:24} version {table.stored_version}")


@tables.command()
@_STORE
def status(store: str | None) -> None:
    """Show version, rows, bytes and projections of every table."""

    async def look(opened: Store) -> list[TableStatus]:
        return await opened.status()

    for service in _with_tables():
        for table in asyncio.run(_on_store(service, store, work=look)):
            stored = "absent" if table.stored_version is None else f"{table.stored_version}/{table.declared_version}"
            projections = " ".join(f"{name}{'' if on else ' (off)'}" for name, on in table.projections.items())
            click.echo(
                f"{service.name:10} {table.name:16} {stored:8} {table.rows:10} rows {table.bytes:12} B  {projections}"
            )


async def _on_store(
    service: AnyService, url: str | None, *, work: Callable[[Store], Awaitable[list[TableStatus]]]
) -> list[TableStatus]:
    from tams_common.runtime import wiring

    common = read(Common, "TAMS_", environ=os.environ)
    opened = wiring.make_store(url or common.store_url, service.name, tables=service.tables)
    await opened.open()
    try:
        return await work(opened)
    finally:
        await opened.close()


def _with_tables() -> list[AnyService]:
    return [service for service in registry.load_all() if service.tables]


def _print_keys(title: str, prefix: str, *, kind: type[msgspec.Struct]) -> None:
    click.echo(title)
    for field in msgspec.structs.fields(kind):
        default = "required" if field.required else f"[{field.default!r}]"
        click.echo(f"  {prefix}{field.name.upper()} {default}")
