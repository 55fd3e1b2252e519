"""What is left after a close, a kill and a torn or damaged log."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from tests.vast_emulator.engine.world import TABLE, compare, database, delete, insert, refused, rows, update
from vast_emulator.engine import Engine, EngineError, EngineOptions
from vast_emulator.engine.port import ProjectionColumn, Selection, TableName


@pytest.mark.parametrize("commits", [3, 150])
def test_a_killed_process_loses_no_answered_commit_and_shows_no_partial_one(tmp_path: Path, commits: int) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "tests.vast_emulator.engine.crash_writer", str(tmp_path / "db")]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        answered = -1
        for line in writer.stdout:
            answered = int(line)
            if answered >= commits:
                break
        writer.kill()
        answered = max([answered, *map(int, writer.stdout.read().split())])
    engine = Engine(tmp_path / "db")
    found = rows(engine, columns=("k", "n"))
    per_commit = Counter(k for k, _ in found.values())
    last = max(int(k) for k in per_commit if k is not None)
    assert last in {answered, answered + 1}
    assert per_commit == dict.fromkeys(range(last + 1), 4)
    assert sorted(int(n) for _, n in found.values() if n is not None) == list(range(1, last + 1))
    (new,) = insert(engine, {"k": [-1]})
    assert new > max(found)
    engine.close()


@pytest.mark.parametrize("is_closed", [True, False], ids=["checkpoint", "replay"])
def test_everything_is_there_again(tmp_path: Path, is_closed: bool) -> None:
    first = database(tmp_path / "db", sort_key=(0,))
    one, two, three = insert(first, {"k": [3, 1, 2], "s": ["c", "a", "b"]})
    update(first, [one], s=["C"])
    delete(first, [two])
    with first.using(0) as tx:
        tx.create_projection(TABLE, "by_s", columns=[ProjectionColumn("s", True), ProjectionColumn("k", False)])
        tx.rename_column(TABLE, "n", new_name="number")
        tx.add_columns(TABLE, pa.schema([("more", pa.list_(pa.int8()))]))
        tx.create_schema("bucket", "schema/inner")
        tx.rename_schema("bucket", "schema", new_path="renamed")
    forgotten = first.begin()
    with first.using(forgotten) as tx:
        tx.drop_table(TableName("bucket", "renamed", "table"))
    if is_closed:
        first.close()
    else:
        _abandon(first)
    second = Engine(tmp_path / "db")
    name = TableName("bucket", "renamed", "table")
    with second.using(0) as tx:
        table = tx.table(name)
        assert table.schema.names == ["k", "s", "number", "more"]
        assert (table.rows, table.sort_key) == (2, (0,))
        (projection,) = table.projections
        assert (projection.name, projection.rows) == ("by_s", 2)
        (page,) = tx.select(name, Selection(("$row_id", "k", "s"), projection="by_s"))
        assert page.rows.to_pydict() == {"$row_id": [one, three], "k": [3, 2], "s": ["C", "b"]}
        assert tx.list_schemas("bucket", "renamed") == ["inner"]
    with refused(404):
        second.commit(forgotten)
    second.close()


def test_a_torn_tail_is_cut_and_the_rest_kept(tmp_path: Path) -> None:
    engine = database(tmp_path / "db")
    (kept,) = insert(engine, {"k": [1]})
    (log,) = (tmp_path / "db").glob("redo-*.log")
    whole = log.stat().st_size
    insert(engine, {"k": [2]})
    _abandon(engine)
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size - 3)
    engine = Engine(tmp_path / "db")
    assert rows(engine, columns=("k",)) == {kept: (1,)}
    assert log.stat().st_size == whole
    (later,) = insert(engine, {"k": [3]})
    _abandon(engine)
    with log.open("ab") as file:
        file.write(b"\0" * 64)
    engine = Engine(tmp_path / "db")
    assert rows(engine, columns=("k",)) == {kept: (1,), later: (3,)}
    engine.close()


def test_a_log_that_grows_long_becomes_a_checkpoint(tmp_path: Path) -> None:
    engine = database(tmp_path / "db", EngineOptions(checkpoint_bytes=50_000))
    for number in range(100):
        insert(engine, {"k": [number], "s": ["x" * 2000]})
    engine.close()
    assert engine.stats().checkpoints >= 2
    assert sum(path.stat().st_size for path in (tmp_path / "db").glob("redo-*.log")) == 0
    engine = Engine(tmp_path / "db")
    assert len(rows(engine, compare("k", greater_equal=0))) == 100
    engine.close()


def test_two_engines_do_not_share_a_folder(tmp_path: Path) -> None:
    engine = database(tmp_path / "db")
    with pytest.raises(OSError):
        Engine(tmp_path / "db")
    engine.close()


def test_a_damaged_checkpoint_stops_the_start(tmp_path: Path) -> None:
    engine = database(tmp_path / "db")
    engine.close()
    path = tmp_path / "db" / "checkpoint"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(EngineError):
        Engine(tmp_path / "db")


def _abandon(engine: Engine) -> None:
    """Lets go of the folder as a killed process does."""
    journal = engine._journal
    assert journal is not None
    journal.close()
