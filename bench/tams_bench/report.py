"""The table: printed for a person, and kept in `docs/benchmarks.md`."""

import os
import platform
import sqlite3
import statistics
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from tams_bench.measure import Figure


class Report(msgspec.Struct, frozen=True):
    """What one run found: `figures` as ratios, `plain` as name, value, bound and verdict."""

    title: str
    method: str
    libraries: tuple[str, ...]
    figures: list[Figure]
    plain: Sequence[tuple[str, str, str, bool]] = ()

    @property
    def holds(self) -> bool:
        """Whether every bound is met."""
        return all(figure.holds for figure in self.figures) and all(line[3] for line in self.plain)


def machine(names: Sequence[str]) -> str:
    """What ran it: cores, Python, SQLite and the libraries that count."""
    libraries = ", ".join(f"{name} {version(name)}" for name in names)
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
            f"{_ratio(figure.ratio)} ({_ratio(min(figure.ratios))} to {_ratio(max(figure.ratios))})",
            *_verdict(figure),
        )
        for figure in figures
    ]


def _verdict(figure: Figure) -> tuple[str, str]:
    if figure.wanted is None:
        return "–", "–"
    return f"{'≥' if figure.at_least else '≤'} {figure.wanted:g}", "yes" if figure.holds else "MISSED"


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def _amount(value: float, unit: str) -> str:
    return f"{value * 1000:.2f} ms" if unit == "s" else f"{value:,.0f} {unit}"


HEADINGS = ("what", "ours", "reference", "ratio (spread)", "wanted", "holds")


def show(report: Report) -> None:
    """Prints the tables on the terminal."""
    console = Console()
    table = Table(*HEADINGS, title=report.title, caption=machine(report.libraries))
    for row in rows(report.figures):
        table.add_row(*row)
    console.print(table)
    console.print(report.method)
    for name, value, wanted, holds in report.plain:
        console.print(f"{name}: {value} (wanted {wanted}){'' if holds else '  MISSED'}")


def write(path: Path, report: Report) -> None:
    """Writes the tables as Markdown; what people wrote below them, from the first `## ` on, stays."""
    _, heading, notes = path.read_text().partition("\n## ") if path.exists() else ("", "", "")
    lines = [f"# {report.title}", "", report.method, f"Machine: {machine(report.libraries)}.", ""]
    lines += [_line(HEADINGS), _line(("---",) * len(HEADINGS)), *map(_line, rows(report.figures))]
    if report.plain:
        lines += ["", _line(("what", "measured", "wanted", "holds")), _line(("---",) * 4)]
    lines += [_line((name, value, wanted, "yes" if holds else "MISSED")) for name, value, wanted, holds in report.plain]
    path.write_text("\n".join(lines) + "\n" + heading + notes)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
