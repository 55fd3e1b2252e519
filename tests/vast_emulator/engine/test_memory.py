"""How much stays in memory and on disk, whatever the size of the tables."""

import random
from pathlib import Path

from tests.vast_emulator.engine.world import compare, database, delete, insert, rows, update
from vast_emulator.engine import Engine, EngineOptions

OPTIONS = EngineOptions(memory_budget=2 << 20, group_rows=4096)


def test_cold_row_groups_go_to_files_and_come_back(tmp_path: Path) -> None:
    engine = database(tmp_path / "db", OPTIONS, sort_key=(0,))
    text = random.Random(1).randbytes(100).hex()
    for start in range(0, 60_000, 3000):
        insert(engine, {"k": range(start, start + 3000), "s": [text] * 3000})
    stats = engine.stats()
    assert stats.group_spills > 0
    assert stats.resident_bytes <= OPTIONS.memory_budget
    before = stats.group_loads
    for key in range(0, 60_000, 4000):
        assert list(rows(engine, compare("k", equal=key)).values()) == [(key, text, None)]
    assert before < engine.stats().group_loads <= before + 3 * 15
    assert engine.stats().resident_bytes <= OPTIONS.memory_budget
    engine.close()


def test_one_changed_row_does_not_rewrite_its_table(tmp_path: Path) -> None:
    engine = database(tmp_path / "db")
    ids = insert(engine, {"k": range(200_000), "s": ["x" * 20] * 200_000})
    engine.checkpoint()
    before = engine.stats()
    for row in ids[::10_000]:
        update(engine, [row], n=[1])
    (log,) = (tmp_path / "db").glob("redo-*.log")
    assert log.stat().st_size < 20 * 2000
    assert engine.stats().resident_bytes - before.resident_bytes < 1 << 20
    engine.close()


def test_versions_that_nobody_sees_leave_memory_and_disk(tmp_path: Path) -> None:
    engine = database(tmp_path / "db", OPTIONS)
    reader = engine.begin()
    for _ in range(5):
        ids = insert(engine, {"k": range(10_000), "s": ["x" * 100] * 10_000})
        assert len(rows(engine, columns=("k",))) == 10_000
        delete(engine, ids)
    assert rows(engine, txid=reader) == {}
    engine.rollback(reader)
    assert rows(engine) == {}
    engine.checkpoint()
    insert(engine, {"k": range(10_000), "s": ["x" * 100] * 10_000})
    engine.close()
    kept = sum(path.stat().st_size for path in (tmp_path / "db" / "chunks").iterdir())
    assert kept < 3 << 20
    engine = Engine(tmp_path / "db", OPTIONS)
    assert len(rows(engine, columns=("k",))) == 10_000
    engine.close()
