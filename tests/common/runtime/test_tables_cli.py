"""`tams tables` on the installed services: what an operator types and reads."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import pytest
from click.testing import CliRunner

from tams_common.runtime import registry
from tams_common.runtime.cli import main

Tables: TypeAlias = Callable[..., list[str]]


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    """Runs `tams tables …` on a directory of its own and returns the lines that it prints."""

    def run(*words: str, status: int = 0) -> list[str]:
        result = CliRunner().invoke(main, ["tables", *words, "--store", f"sqlite:{tmp_path}"])
        assert result.exit_code == status, result.output
        return result.output.splitlines()

    return run


def states(lines: list[str]) -> dict[str, str]:
    """The state of each projection that `projections …` printed, by table and name."""
    titles, *rows = lines
    at = titles.index("state")
    return {".".join(row.split()[1:3]): row[at:].split()[0] for row in rows}


ALL_ON = {
    f"{table.name}.{projection.name}": "enabled"
    for service in registry.load_all()
    for table in service.tables
    for projection in table.projections
}


def test_status_tells_what_is_missing_until_the_tables_are_migrated(tables: Tables) -> None:
    before = tables("status")
    assert before[0].split() == ["service", "table", "version", "sorted", "by", "drift"]
    assert all("absent" in line and line.endswith("not migrated") for line in before[1:])
    declared = [str(table.version) for service in registry.load_all() for table in service.tables]
    assert [line.split()[-1] for line in tables("migrate")[1:]] == declared
    titles, *after = tables("status")
    assert len(after) == len(before) - 1
    assert [line.index("none") for line in after] == [titles.index("drift")] * len(after)
    segments = next(line for line in after if line.split()[:2] == ["segments", "segments"])
    assert segments.split() == [
        *("segments", "segments", "1", "0", "0"),
        *("flow_id", "start_ns", "in", "order", "none", "by_object"),
    ]


def test_status_shows_drift(tables: Tables, tmp_path: Path) -> None:
    tables("migrate")
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as connection:
        stored = "replace(declaration, '\"created\"', '\"made\"')"
        connection.execute(f"UPDATE _tams_tables SET declaration = {stored}, version = 0 WHERE name = 'sources'")
        connection.commit()
    line = next(line for line in tables("status") if line.split()[1] == "sources")
    assert line.split()[2] == "0"
    assert line.endswith("declared as version 1, column created missing, column made not declared")


def test_projections_are_switched_together_or_by_name(tables: Tables) -> None:
    tables("migrate")
    assert states(tables("projections", "status")) == ALL_ON
    assert states(tables("projections", "disable", "--table", "flows")) == {"flows.by_source": "disabled"}
    one = "collections.by_member_source"
    for _ in range(2):
        assert states(tables("projections", "disable", "--projection", "by_member_source")) == {one: "disabled"}
    tables("migrate")
    off = {"flows.by_source": "disabled", one: "disabled"}
    assert states(tables("projections", "status")) == ALL_ON | off
    assert any(line.split()[:2] == ["catalog", "flows"] and "by_source(off)" in line for line in tables("status"))
    assert states(tables("projections", "enable", "--table", "collections", "--projection", "by_member_source")) == {
        one: "enabled"
    }
    assert states(tables("projections", "enable")) == ALL_ON


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--table", "nothing"], "there is no table 'nothing'; there are: allocations, attempts, collections, "),
        (["--table", "heads"], "table heads has no projections"),
        (["--table", "flows", "--projection", "x"], "table flows has no projection 'x'; there are: by_source"),
        (["--projection", "x"], "the tables have no projection 'x'; there are: by_codec, by_collector_source, "),
    ],
)
@pytest.mark.parametrize("verb", ["enable", "disable", "status"])
def test_a_name_that_is_not_declared_is_told_with_those_that_are(
    tables: Tables, verb: str, words: list[str], error: str
) -> None:
    [line] = tables("projections", verb, *words, status=1)
    assert line.startswith(f"Error: {error}")


def test_projections_of_tables_that_are_not_migrated_cannot_be_switched(tables: Tables) -> None:
    [line] = tables("projections", "enable", status=1)
    assert line.endswith("is not migrated: run `tams tables migrate`")
    assert set(states(tables("projections", "status")).values()) == {"disabled"}
