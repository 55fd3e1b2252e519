"""`tams vast-emulator`: the emulator as a process of its own."""

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

if TYPE_CHECKING:
    from vast_emulator.server import Settings
    from vast_emulator.serving import Database


class Options(TypedDict):
    """The options that are only passed on."""

    access_key: str
    secret_key: str
    buckets: tuple[str, ...]
    version: str
    idle_timeout: float


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--listen", default="127.0.0.1:9090", show_default=True, metavar="HOST:PORT", help="Port 0: a free one.")
@click.option("--data", default=None, type=click.Path(path_type=Path), help="Folder of the tables [in memory only].")
@click.option("--access-key", default="test", show_default=True, help="The key that requests are signed with.")
@click.option("--secret-key", default="test", show_default=True, help="Its secret.")
@click.option("--bucket", "buckets", multiple=True, default=("vastdb",), show_default=True, help="May be repeated.")
@click.option("--version", default="5.5", show_default=True, type=click.Choice(["5.4", "5.5"]), help="Whom to play.")
@click.option("--idle-timeout", default=300.0, show_default=True, metavar="SECONDS", help="Ends idle transactions.")
def main(listen: str, data: Path | None, **options: Unpack[Options]) -> None:
    """Serve a stand-in for VAST DB, for development and tests. Never for data that matters."""
    # Imported only here: the SDK's classes, which the emulator speaks with, take a second to load.
    from vast_emulator.engine import EngineOptions
    from vast_emulator.server import Settings
    from vast_emulator.serving import Database

    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise click.BadParameter("HOST:PORT is wanted", param_hint="--listen")
    keys = {options["access_key"]: options["secret_key"]}
    settings = Settings(host, int(port), keys=keys, version=options["version"])
    engine = EngineOptions(idle_timeout=options["idle_timeout"])
    asyncio.run(_serve(settings, Database(data, options["buckets"], options=engine)))


async def _serve(settings: "Settings", database: "Database") -> None:
    from vast_emulator.serving import serve

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serve(settings, database) as emulator:
        click.echo(f"VAST emulator: {emulator.url}")
        await stop.wait()
