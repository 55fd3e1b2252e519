"""The one script `tams`: run a service or all of them, look after tables, topics, storage and tokens."""

import os
from importlib.metadata import entry_points
from pathlib import Path

import click

from tams_common.config import Common, service_prefix
from tams_common.errors import TamsError
from tams_common.runtime import registry
from tams_common.runtime.storage_cli import storage
from tams_common.runtime.tables_cli import tables
from tams_common.runtime.topics_cli import topics

_COMMANDS = "tams.commands"
_DATA = click.option("--data", default=".tams", type=click.Path(path_type=Path), help="Directory of the data [.tams].")


class Commands(click.Group):
    """Turns an error that an operator can mend into one line and exit status 1. Installed packages may add commands by
    the entry point group `tams.commands`; they are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Ours and those that were added."""
        return sorted({*super().list_commands(ctx), *(point.name for point in entry_points(group=_COMMANDS))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of ours, or one that was added."""
        found = super().get_command(ctx, cmd_name)
        for point in entry_points(group=_COMMANDS, name=cmd_name) if found is None else ():
            added = point.load()
            return added if isinstance(added, click.Command) else None
        return found

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
@click.option("--store", default=None, metavar="URL", help="Tables: sqlite:DIRECTORY, sqlite::memory: or vast://….")
@click.option("--bus", default=None, metavar="URL", help="Events: sqlite:DIRECTORY, sqlite::memory: or kafka://….")
@click.option("--objects", default=None, metavar="URL", help="Media: local:DIRECTORY, local::memory: or s3:FILE.toml.")
def dev(data: Path, **options: str | None) -> None:
    """Run the whole store in this process. Nothing else is needed."""
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
    """Print every configuration key with its default and meaning."""
    from tams_common.runtime.manual import page

    shown = [page("every service", "TAMS_", kind=Common)]
    shown += [page(each.name, service_prefix(each.name), kind=each.config) for each in registry.load_all()]
    click.echo("\n\n".join(shown))


@main.command()
@_DATA
def token(data: Path) -> None:
    """Print the development token of a data directory. It is made where there is none."""
    from tams_common.runtime.dev import dev_token

    click.echo(dev_token(data))


main.add_command(storage)
main.add_command(tables)
main.add_command(topics)
