"""What a run of chaos has seen, as a table: printed, and added to the file that `TAMS_TEST_CHAOS_REPORT` names."""

import os
from collections.abc import Mapping
from pathlib import Path

KILLS = int(os.environ.get("TAMS_TEST_KILLS", "3"))
SEED = int(os.environ.get("TAMS_TEST_SEED", "1"))


def record(title: str, figures: Mapping[str, object]) -> None:
    """Keeps the figures of one test."""
    rows = [f"| {name} | {_shown(value)} |" for name, value in figures.items()]
    text = "\n".join([f"### {title}, seed {SEED}", "", "| what | seen |", "| --- | --- |", *rows, "", ""])
    print(f"\n{text}")  # noqa: T201 -- for whoever runs `make chaos`
    if path := os.environ.get("TAMS_TEST_CHAOS_REPORT"):
        with Path(path).open("a") as file:
            file.write(text)


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(count)}" for name, count in sorted(value.items())) or "none"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
