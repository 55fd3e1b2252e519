"""Tables on a terminal, as the commands print them."""

from collections.abc import Sequence
from typing import Final

import click

_NUMBERS: Final = frozenset(
    {
        *("rows", "bytes", "partitions", "copies"),
        *("instances", "stored", "missing", "damaged", "orphaned", "abandoned", "removed"),
        *("waiting", "young", "foreign", "unfinished"),
    }
)


def print_aligned(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest cell, numbers to the right; a column without any cell is left out."""
    kept = [at for at in range(len(titles)) if not rows or any(row[at] for row in rows)]
    widths = {at: max(len(row[at]) for row in (titles, *rows)) for at in kept}
    for row in (titles, *rows):
        cells = [row[at].rjust(widths[at]) if titles[at] in _NUMBERS else row[at].ljust(widths[at]) for at in kept]
        click.echo("  ".join(cells).rstrip())
