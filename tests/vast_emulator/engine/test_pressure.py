"""Several writers at once while row groups are spilled, loaded and checkpointed."""

import random
import threading
from pathlib import Path

from tests.vast_emulator.engine.world import Cell, compare, database, delete, insert, rows
from vast_emulator.engine import Engine, EngineOptions

OPTIONS = EngineOptions(group_rows=512, memory_budget=300_000, checkpoint_bytes=100_000)


class Writer(threading.Thread):
    """Inserts and deletes its own rows (n is its number) and looks whether exactly they are there."""

    def __init__(self, engine: Engine, number: int) -> None:
        super().__init__()
        self.engine = engine
        self.number = number
        self.random = random.Random(number)
        self.mine: dict[int, tuple[Cell, ...]] = {}
        self.differed = 0

    def run(self) -> None:
        for _ in range(25):
            self.step()
            self.differed += rows(self.engine, compare("n", equal=self.number)) != self.mine

    def step(self) -> None:
        """One transaction; one of five is rolled back."""
        size = self.random.randrange(1, 100)
        keys = [self.random.randrange(1000) for _ in range(size)]
        texts = ["x" * self.random.randrange(200) for _ in range(size)]
        dead = self.random.sample(sorted(self.mine), min(len(self.mine), self.random.randrange(40)))
        txid = self.engine.begin()
        row_ids = insert(self.engine, {"k": keys, "s": texts, "n": [self.number] * size}, txid=txid)
        delete(self.engine, dead, txid=txid)
        if self.random.random() < 0.2:
            self.engine.rollback(txid)
            return
        self.engine.commit(txid)
        self.mine |= dict(zip(row_ids, zip(keys, texts, [self.number] * size, strict=True), strict=True))
        for row_id in dead:
            del self.mine[row_id]


def test_every_writer_finds_exactly_its_rows_now_and_after_a_restart(tmp_path: Path) -> None:
    engine = database(tmp_path / "db", OPTIONS, sort_key=(0,))
    writers = [Writer(engine, number) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.differed for writer in writers] == [0, 0, 0, 0]
    stats = engine.stats()
    assert stats.group_spills
    assert stats.checkpoints
    assert stats.resident_bytes <= OPTIONS.memory_budget
    expected = {row_id: row for writer in writers for row_id, row in writer.mine.items()}
    assert rows(engine) == expected
    engine.close()
    engine = Engine(tmp_path / "db", OPTIONS)
    assert rows(engine) == expected
    engine.close()
