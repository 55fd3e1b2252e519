"""The table: printed for a person, and kept in `docs/benchmarks.md`."""

import os
import platform
import sqlite3
import statistics
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tams_bench.measure import Figure

METHOD = """\
A real `tams dev` (gateway, authentication, access log, event path) on a fresh directory is loaded from a second process
over keep-alive connections. Each figure is the median of the ratios of {rounds} rounds in which ours and the reference
are measured next to each other; the smallest and largest ratio stand beside it. Reads are held against a bare aiohttp
handler on uvloop that returns the same bytes; writes against raw `sqlite3` that commits the same rows into the same
tables with `synchronous=FULL`, which is what "durable" means for ours, too. Allocation of media objects is not part of
the write figures, their registration is.
"""


def machine() -> str:
    """What ran it: cores, Python, SQLite and the libraries that count."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "uvloop", "msgspec"))
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, {libraries}"
    )


def rows(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    """Name, ours, reference, ratio with spread, bound, verdict of each figure."""
    return [
        (
            figure.name,
            _amount(statistics.median(figure.ours), figure.unit),
            f"{_amount(statistics.median(figure.reference), figure.unit)} ({figure.against})",
            f"{figure.ratio:.2f} ({min(figure.ratios):.2f} to {max(figure.ratios):.2f})",
            f"{'≥' if figure.at_least else '≤'} {figure.wanted:g}",
            "yes" if figure.holds else "MISSED",
        )
        for figure in figures
    ]


def _amount(value: float, unit: str) -> str:
    return f"{value * 1000:.2f} ms" if unit == "s" else f"{value:,.0f} {unit}"


HEADINGS = ("what", "ours", "reference", "ratio (spread)", "wanted", "holds")


def show(figures: Sequence[Figure], plain: Sequence[tuple[str, str, str, bool]]) -> None:
    """Prints the tables on the terminal."""
    console = Console()
    table = Table(*HEADINGS, title="TAMS bench", caption=machine())
    for row in rows(figures):
        table.add_row(*row)
    console.print(table)
    for name, value, wanted, holds in plain:
        console.print(f"{name}: {value} (wanted {wanted}){'' if holds else '  MISSED'}")


def write(path: Path, figures: Sequence[Figure], *, plain: Sequence[tuple[str, str, str, bool]]) -> None:
    """Writes the tables as Markdown."""
    rounds = len(figures[0].ours) if figures else 0
    lines = ["# Benchmarks", "", METHOD.format(rounds=rounds), f"Machine: {machine()}.", ""]
    lines += [_line(HEADINGS), _line(("---",) * len(HEADINGS)), *map(_line, rows(figures)), ""]
    lines += [_line(("what", "measured", "wanted", "holds")), _line(("---",) * 4)]
    lines += [_line((name, value, wanted, "yes" if holds else "MISSED")) for name, value, wanted, holds in plain]
    path.write_text("\n".join(lines) + "\n")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
