"""The disk is full, or does not sync: what is refused leaves nothing, what was answered stays, and all works again."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.common.full_disk import full_disk
from tests.vast_emulator.engine.bad_disk import needs_filters, without_fsync
from tests.vast_emulator.engine.world import database, insert, refused, rows, update
from vast_emulator.engine import Engine, EngineError, EngineOptions

BIG = "x" * 20_000


def again(engine: Engine, directory: Path, *, options: EngineOptions | None = None) -> Engine:
    """As after kill -9."""
    journal = engine._journal
    assert journal is not None
    journal.close()
    return Engine(directory, options)


def log_bytes(directory: Path) -> int:
    """The size of the newest redo log."""
    return max(directory.glob("redo-*.log"), key=lambda path: int(path.stem.removeprefix("redo-"))).stat().st_size


def test_a_commit_for_which_there_is_no_room_is_rolled_back(tmp_path: Path) -> None:
    engine = database(tmp_path)
    (row,) = insert(engine, {"k": [1], "s": ["kept"]})
    txid = engine.begin()
    update(engine, [row], txid=txid, s=["lost"])
    insert(engine, {"k": [2], "s": [BIG]}, txid=txid)
    before = log_bytes(tmp_path)
    with full_disk(before + 100):
        with refused(507):
            engine.commit(txid)
        with refused(507):
            insert(engine, {"k": [3], "s": [BIG]})
        assert rows(engine, columns=("k", "s")) == {row: (1, "kept")}
        assert log_bytes(tmp_path) == before
    with refused(404):
        engine.commit(txid)
    update(engine, [row], s=["new"])
    (later,) = insert(engine, {"k": [2], "s": [BIG]})
    expected = {row: (1, "new"), later: (2, BIG)}
    assert rows(engine, columns=("k", "s")) == expected
    engine = again(engine, tmp_path)
    assert rows(engine, columns=("k", "s")) == expected
    engine.close()


def test_a_small_commit_fits_where_a_large_one_did_not(tmp_path: Path) -> None:
    engine = database(tmp_path)
    with full_disk(log_bytes(tmp_path) + 10_000):
        with refused(507):
            insert(engine, {"k": [1], "s": [BIG]})
        (row,) = insert(engine, {"k": [2]})
    engine = again(engine, tmp_path)
    assert rows(engine, columns=("k",)) == {row: (2,)}
    engine.close()


def test_a_checkpoint_for_which_there_is_no_room_leaves_the_logs(tmp_path: Path) -> None:
    options = EngineOptions(memory_budget=50_000)
    engine = database(tmp_path, options)
    kept = dict.fromkeys(insert(engine, {"k": list(range(50)), "s": [BIG] * 50}), BIG)
    with full_disk(500):
        with refused(507):
            engine.checkpoint()
        kept |= dict.fromkeys(insert(engine, {"s": ["small"]}), "small")
        with refused(507):
            engine.checkpoint()
        assert rows(engine, columns=("s",)) == {row: (text,) for row, text in kept.items()}
    engine = again(engine, tmp_path, options=options)
    assert rows(engine, columns=("s",)) == {row: (text,) for row, text in kept.items()}
    engine.checkpoint()
    assert log_bytes(tmp_path) == 0
    assert len(list(tmp_path.glob("redo-*.log"))) == 1
    engine = again(engine, tmp_path, options=options)
    assert rows(engine, columns=("s",)) == {row: (text,) for row, text in kept.items()}
    engine.close()


def test_an_engine_that_cannot_checkpoint_closes_all_the_same(tmp_path: Path) -> None:
    engine = database(tmp_path)
    (row,) = insert(engine, {"s": [BIG]})
    with full_disk(500):
        engine.close()
    engine = Engine(tmp_path)
    assert rows(engine, columns=("s",)) == {row: (BIG,)}
    engine.close()


def test_row_groups_that_cannot_be_spilled_stay_in_memory(tmp_path: Path) -> None:
    engine = database(tmp_path, EngineOptions(memory_budget=50_000))
    txid = engine.begin()
    with full_disk(500):
        found = [row for n in range(10) for row in insert(engine, {"k": [n], "s": [BIG]}, txid=txid)]
        assert len(rows(engine, txid=txid)) == len(found)
        assert engine.stats().resident_bytes > 50_000
    engine.commit(txid)
    insert(engine, {"k": [10], "s": [BIG]})
    assert engine.stats().resident_bytes <= 50_000
    assert [k for k, _, _ in rows(engine).values()] == list(range(11))
    engine.close()


@needs_filters
def test_a_commit_that_cannot_be_synced_is_rolled_back(tmp_path: Path) -> None:
    engine = database(tmp_path)
    (row,) = insert(engine, {"k": [1]})

    def fail() -> None:
        for _ in range(2):
            with refused(507):
                insert(engine, {"k": [2]})

    without_fsync(fail)
    assert rows(engine, columns=("k",)) == {row: (1,)}
    engine = again(engine, tmp_path)
    assert rows(engine, columns=("k",)) == {row: (1,)}
    without_fsync(fail)
    (later,) = insert(engine, {"k": [3]})
    engine = again(engine, tmp_path)
    assert rows(engine, columns=("k",)) == {row: (1,), later: (3,)}
    engine.close()


@needs_filters
def test_of_commits_that_share_a_sync_those_that_were_answered_are_there(tmp_path: Path) -> None:
    engine = database(tmp_path)

    def write(first: int) -> dict[int, int]:
        """Numbers with the status of their commits."""
        statuses: dict[int, int] = {}
        for number in range(first, first + 50):
            try:
                insert(engine, {"k": [number]})
                statuses[number] = 200
            except EngineError as error:
                statuses[number] = error.status
        return statuses

    with ThreadPoolExecutor(5) as threads:
        good = [threads.submit(write, 1000 * n) for n in range(3)]
        bad = [threads.submit(without_fsync, partial(write, 1000 * n)) for n in range(3, 5)]
        statuses = {number: status for each in (*good, *bad) for number, status in each.result().items()}
    assert set(statuses.values()) == {200, 507}
    answered = {number for number, status in statuses.items() if status == 200}
    assert {k for (k,) in rows(engine, columns=("k",)).values()} == answered
    engine = again(engine, tmp_path)
    assert {k for (k,) in rows(engine, columns=("k",)).values()} == answered
    engine.close()
