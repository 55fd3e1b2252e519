"""The contract of `run` and `read`: what comes back, what is seen, and how functions share a commit."""

import asyncio
from functools import partial

import pytest

from tams_common.errors import Conflict
from tams_common.store import Query, Reader, Store, Tx
from tests.common.store.opener import Contract
from tests.common.store.tables import HEADS, ITEMS, Head, Item, all_ids, insert_items, items


def _advance(tx: Tx) -> int:
    head = tx.get(HEADS, ("f",))
    assert head is not None
    tx.update(HEADS, [Head("f", head.version + 1)])
    return head.version + 1


def _insert_and_fail(tx: Tx, id: str) -> None:
    tx.insert(ITEMS, items(id))
    raise LookupError(id)


class RunContract(Contract):
    async def test_what_was_run_is_read_by_whoever_comes_later(self, store: Store) -> None:
        await store.run(insert_items("a", "b"))
        for bounded in (True, False):
            assert await store.read(lambda r: r.get(ITEMS, ("a",)), bounded=bounded) == Item("a")
            assert await store.read(lambda r: r.get(ITEMS, ("z",)), bounded=bounded) is None
        found = await store.read(lambda r: r.get_many(ITEMS, [("b",), ("z",), ("a",), ("b",)]))
        assert found == {("a",): Item("a"), ("b",): Item("b")}

    async def test_the_result_of_the_function_comes_back(self, store: Store) -> None:
        assert await store.run(lambda _: 42) == 42
        assert await store.read(lambda _: 43) == 43

    async def test_what_the_function_raises_is_raised_and_nothing_is_kept(self, store: Store) -> None:
        with pytest.raises(LookupError, match="lost"):
            await store.run(partial(_insert_and_fail, id="lost"))
        assert await store.read(all_ids) == []

    async def test_an_exhausted_iterator_in_a_function_is_an_error_like_others(self, store: Store) -> None:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await store.run(lambda _: next(iter(())))

    async def test_a_read_is_one_snapshot(self, store: Store) -> None:
        loop = asyncio.get_running_loop()
        await store.run(lambda tx: tx.insert(HEADS, [Head("f", 1)]))

        def twice(reader: Reader) -> tuple[Head | None, Head | None]:
            first = reader.get(HEADS, ("f",))
            asyncio.run_coroutine_threadsafe(store.run(_advance), loop).result()
            return first, reader.get(HEADS, ("f",))

        assert await store.read(twice) == (Head("f", 1), Head("f", 1))
        assert await store.read(lambda r: r.get(HEADS, ("f",))) == Head("f", 2)

    async def test_no_update_is_lost_among_functions_that_wait_together(self, store: Store) -> None:
        await store.run(lambda tx: tx.insert(HEADS, [Head("f", 0)]))
        versions = await asyncio.gather(*(store.run(_advance) for _ in range(100)))
        assert sorted(versions) == list(range(1, 101))
        assert await store.read(lambda r: r.get(HEADS, ("f",))) == Head("f", 100)

    async def test_a_function_sees_the_rows_of_those_before_it(self, store: Store) -> None:
        def join(tx: Tx, id: str) -> int:
            tx.insert(ITEMS, items(id))
            return len(tx.scan(ITEMS, Query()).rows)

        counts = await asyncio.gather(*(store.run(partial(join, id=str(n))) for n in range(20)))
        assert sorted(counts) == list(range(1, 21))

    async def test_a_function_that_raises_loses_only_its_own_writes(self, store: Store) -> None:
        work = [
            store.run(insert_items("a")),
            store.run(partial(_insert_and_fail, id="b")),
            store.run(insert_items("c")),
        ]
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), LookupError, type(None)]
        assert await store.read(all_ids) == ["a", "c"]

    async def test_one_of_many_gets_a_key_and_bystanders_get_theirs(self, store: Store) -> None:
        rivals = [store.run(insert_items("wanted", f"rival{n}")) for n in range(8)]
        bystanders = [store.run(insert_items(f"bystander{n}")) for n in range(8)]
        outcomes = await asyncio.gather(*rivals, *bystanders, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes[:8]) == ["Conflict"] * 7 + ["NoneType"]
        assert outcomes[8:] == [None] * 8
        winner = f"rival{outcomes.index(None)}"
        assert await store.read(all_ids) == [*(f"bystander{n}" for n in range(8)), winner, "wanted"]

    async def test_a_conflict_that_shows_at_the_flush_hits_only_whose_it_is(self, store: Store) -> None:
        await store.run(insert_items("stored"))
        work = [
            store.run(insert_items("a")),
            store.run(insert_items("b", "stored")),
            store.run(lambda tx: tx.update(ITEMS, items("missing"))),
            store.run(all_ids),
            store.run(insert_items("c")),
        ]
        a, b, missing, seen, c = await asyncio.gather(*work, return_exceptions=True)
        assert (a, c) == (None, None)
        assert isinstance(b, Conflict)
        assert isinstance(missing, Conflict)
        assert seen in (["a", "stored"], ["a", "c", "stored"])
        assert await store.read(all_ids) == ["a", "c", "stored"]

    async def test_a_run_that_nobody_awaits_any_more_is_whole_or_absent(self, store: Store) -> None:
        def pairs(reader: Reader) -> set[str]:
            ids = all_ids(reader)
            assert all(f"{id[:-1]}{'yx'[id.endswith('y')]}" in ids for id in ids)
            return {id[:-1] for id in ids}

        tasks = [asyncio.create_task(store.run(insert_items(f"{n}x", f"{n}y"))) for n in range(30)]
        for turn, task in enumerate(tasks):
            if turn % 3 == 0:
                await asyncio.sleep(0)
            if turn % 2 == 0:
                task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        finished = {str(n) for n, outcome in enumerate(outcomes) if outcome is None}
        assert finished <= await store.read(pairs)
        await store.run(insert_items("after"))
