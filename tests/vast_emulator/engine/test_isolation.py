"""What one transaction sees of another, and who is refused."""

import threading
from collections.abc import Iterator

import pyarrow as pa
import pytest

from tests.vast_emulator.engine.world import SCHEMA, TABLE, compare, database, delete, insert, refused, rows, update
from vast_emulator.engine import Engine, EngineOptions
from vast_emulator.engine.port import TableName


@pytest.fixture(params=[(), (0,)], ids=["plain", "sorted"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = database(sort_key=request.param)
    yield engine
    engine.close()


def test_own_writes_are_seen_and_others_only_after_their_commit(engine: Engine) -> None:
    writer, reader = engine.begin(), engine.begin()
    (row,) = insert(engine, {"k": [1], "s": ["a"]}, txid=writer)
    assert rows(engine, txid=writer) == {row: (1, "a", None)}
    assert rows(engine, txid=reader) == rows(engine) == {}
    engine.commit(writer)
    assert rows(engine, txid=reader) == {}
    engine.rollback(reader)
    assert rows(engine) == {row: (1, "a", None)}


def test_a_rollback_leaves_nothing_and_its_row_ids_are_not_given_again(engine: Engine) -> None:
    txid = engine.begin()
    (lost,) = insert(engine, {"k": [1]}, txid=txid)
    engine.rollback(txid)
    (row,) = insert(engine, {"k": [2]})
    assert row > lost
    assert rows(engine, columns=("k",)) == {row: (2,)}
    with refused(404):
        engine.commit(txid)


@pytest.mark.parametrize("first", [update, delete])
@pytest.mark.parametrize("second", [update, delete])
@pytest.mark.parametrize("is_committed", [False, True])
def test_the_second_writer_of_a_row_is_refused_at_the_statement(
    engine: Engine, first: object, second: object, is_committed: bool
) -> None:
    kept, row = insert(engine, {"k": [1, 2], "n": [0, 0]})

    def write(change: object, txid: int) -> None:
        if change is update:
            update(engine, [row], txid=txid, n=[txid])
        else:
            delete(engine, [row], txid=txid)

    winner, loser = engine.begin(), engine.begin()
    write(first, winner)
    if is_committed:
        engine.commit(winner)
    with refused(409):
        write(second, loser)
    update(engine, [kept], txid=loser, n=[7])
    engine.commit(loser)
    assert rows(engine, columns=("n",))[kept] == (7,)
    assert engine.stats().conflicts == 1


def test_a_rolled_back_writer_is_in_nobodys_way(engine: Engine) -> None:
    (row,) = insert(engine, {"k": [1], "n": [0]})
    first, second = engine.begin(), engine.begin()
    update(engine, [row], txid=first, n=[1])
    engine.rollback(first)
    update(engine, [row], txid=second, n=[2])
    engine.commit(second)
    assert rows(engine, columns=("n",)) == {row: (2,)}


def test_inserts_never_conflict_and_merge(engine: Engine) -> None:
    first, second = engine.begin(), engine.begin()
    mine, other = insert(engine, {"k": [1]}, txid=first), insert(engine, {"k": [1]}, txid=second)
    engine.commit(second)
    engine.commit(first)
    assert rows(engine, columns=("k",)) == {mine[0]: (1,), other[0]: (1,)}


def test_a_statement_about_no_rows_holds_nothing(engine: Engine) -> None:
    (row,) = insert(engine, {"k": [1], "n": [0]})
    writer, other = engine.begin(), engine.begin()
    update(engine, [row], txid=writer, n=[1])
    delete(engine, [], txid=other)
    engine.commit(writer)
    engine.commit(other)
    assert rows(engine, columns=("n",)) == {row: (1,)}


def test_an_update_leaves_the_other_columns_and_unknown_rows_alone(engine: Engine) -> None:
    one, two = insert(engine, {"k": [1, 2], "s": ["a", "b"], "n": [1, 1]})
    update(engine, [two, 4711, one], n=[20, 0, 10])
    assert rows(engine) == {one: (1, "a", 10), two: (2, "b", 20)}


def test_writes_of_several_threads_are_all_there(engine: Engine) -> None:
    (row,) = insert(engine, {"k": [1], "n": [0]})
    failures: list[BaseException] = []

    def work() -> None:
        done = 0
        while done < 20:
            txid = engine.begin()
            try:
                ((n,),) = rows(engine, compare("k", equal=1), txid=txid, columns=("n",)).values()
                assert isinstance(n, int)
                update(engine, [row], txid=txid, n=[n + 1])
            except Exception as error:  # noqa: BLE001 - the thread's failure is the test's
                engine.rollback(txid)
                if getattr(error, "status", 0) != 409:
                    failures.append(error)
                    return
            else:
                engine.commit(txid)
                done += 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert rows(engine, columns=("n",)) == {row: (80,)}


def test_an_idle_transaction_expires_and_frees_its_locks() -> None:
    now = [0.0]
    engine = database(options=EngineOptions(idle_timeout=60, clock=lambda: now[0]))
    (row,) = insert(engine, {"k": [1], "n": [0]})
    idle, kept = engine.begin(), engine.begin()
    update(engine, [row], txid=idle, n=[1])
    now[0] = 50
    engine.touch(kept)
    now[0] = 70
    update(engine, [row], txid=kept, n=[2])
    with refused(404):
        engine.commit(idle)
    with refused(404):
        engine.touch(idle)
    engine.commit(kept)
    assert rows(engine, columns=("n",)) == {row: (2,)}
    assert engine.stats().expired == 1
    engine.close()


def test_definitions_are_isolated_and_the_second_one_is_refused(engine: Engine) -> None:
    (row,) = insert(engine, {"k": [1], "s": ["a"]})
    first, second = engine.begin(), engine.begin()
    with engine.using(first) as tx:
        tx.rename_column(TABLE, "s", new_name="text")
        tx.add_columns(TABLE, pa.schema([("more", pa.int8())]))
        assert tx.table(TABLE).schema.names == ["k", "text", "n", "more"]
    with engine.using(second) as tx:
        assert tx.table(TABLE).schema.names == ["k", "s", "n"]
        with refused(409):
            tx.rename_column(TABLE, "s", new_name="other")
    late = insert(engine, {"k": [2], "s": ["b"]}, txid=second)
    engine.commit(first)
    engine.commit(second)
    assert rows(engine, columns=("k", "text", "more")) == {row: (1, "a", None), late[0]: (2, "b", None)}


def test_a_table_with_uncommitted_rows_of_another_cannot_be_dropped(engine: Engine) -> None:
    writer, dropper = engine.begin(), engine.begin()
    insert(engine, {"k": [1]}, txid=writer)
    with engine.using(dropper) as tx, refused(409):
        tx.drop_table(TABLE)
    engine.commit(writer)
    with engine.using(0) as tx:
        tx.drop_table(TABLE)


def test_a_schema_cannot_go_while_another_puts_a_table_in_it(engine: Engine) -> None:
    with engine.using(0) as tx:
        tx.create_schema("bucket", "schema/inner")
    maker, dropper = engine.begin(), engine.begin()
    with engine.using(maker) as tx:
        tx.create_table(TableName("bucket", "schema/inner", "t"), SCHEMA)
    with engine.using(dropper) as tx, refused(409):
        tx.drop_schema("bucket", "schema/inner")
    engine.commit(maker)
    with engine.using(0) as tx, refused(409):
        tx.drop_schema("bucket", "schema/inner")
