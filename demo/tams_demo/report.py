"""What the demo shows: a progress bar for each step while it runs, and a table with a time line at the end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

_LINE: Final = 20
"""Characters in the time line of the final table."""


@dataclass(slots=True)
class Step:
    """One step of the story: what was done, how often, with how many bytes, and when (in seconds from the start)."""

    name: str
    unit: str
    count: int = 0
    size: int = 0
    turns: int = 0
    note: str = ""
    spans: list[tuple[float, float]] = field(default_factory=list)
    shown: Callable[[int], None] = field(default=lambda done: None, repr=False)

    def advance(self, count: int = 1, *, size: int = 0) -> None:
        """`count` more are done, and with them `size` bytes."""
        self.count += count
        self.size += size
        self.shown(self.count)

    def reach(self, count: int) -> None:
        """`count` are done by now."""
        self.count = count
        self.shown(count)

    @property
    def took(self) -> float:
        """Seconds in which this step was at work."""
        return sum(end - start for start, end in self.spans)


class Report:
    """Collects the steps of one run; to be entered for the time of the run."""

    def __init__(self, console: Console, now: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._now = now
        self._began = now()
        self._steps: dict[str, Step] = {}
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeElapsedColumn(),
            console=console,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextmanager
    def step(self, name: str, unit: str, *, total: int | None = None) -> Iterator[Step]:
        """The step called `name`, at work until the block ends; a step may be at work several times."""
        step = self._steps.setdefault(name, Step(name, unit))
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total, unit=unit)
        task = self._tasks[name]
        step.shown = lambda done: self._progress.update(task, completed=done)
        start = self._now() - self._began
        try:
            yield step
        finally:
            step.spans.append((start, self._now() - self._began))
        if step.count >= (total or 0):
            self._progress.update(task, total=step.count, completed=step.count)

    def say(self, line: str) -> None:
        """A line above the progress bars."""
        self._console.print(line, highlight=False, markup=False)

    @property
    def steps(self) -> list[Step]:
        """All steps so far, in the order in which they first began."""
        return list(self._steps.values())

    def summary(self) -> Table:
        """The final table; its last column shows when in the run each step was at work."""
        whole = self._now() - self._began
        table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        table.add_column("step")
        table.add_column("what")
        table.add_column("count", justify="right")
        table.add_column("bytes", justify="right")
        table.add_column("took", justify="right")
        table.add_column(f"0 s{f'{whole:.1f} s':>{_LINE - 3}}", no_wrap=True)
        for step in self.steps:
            size = decimal(step.size) if step.size else ""
            count = f"{step.count:,}" if step.count else ""
            what = f"{step.unit}; {step.note}" if step.note else step.unit
            table.add_row(step.name, what, count, size, f"{step.took:.2f} s", _line(step, whole))
        return table


def _line(step: Step, whole: float) -> Text:
    cell = max(whole, 0.001) / _LINE
    text = Text()
    for place in range(_LINE):
        busy = any(start < (place + 1) * cell and end > place * cell for start, end in step.spans)
        text.append("█" if busy else "·", style="green" if busy else "dim")
    return text
