"""`tams --help`, and that of each group of commands: every command is told in full on a terminal of 80 characters."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from tams_common.runtime.cli import main


def groups(group: click.Group, *words: str) -> Iterator[tuple[str, ...]]:
    """The words of `group` and of every group below it."""
    yield words
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from groups(found, *words, name)


@pytest.mark.parametrize("words", list(groups(main)), ids=" ".join)
def test_no_command_is_cut_short_in_the_list(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*words, "--help"], terminal_width=80)
    commands = result.output.partition("Commands:\n")[2].splitlines()
    assert commands
    assert not [line for line in commands if line.endswith("...")]
