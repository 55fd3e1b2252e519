"""The contract of bad luck: closed and broken databases, and two stores that write the same rows."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tams_common.errors import Conflict, Unavailable
from tams_common.store import Query, Store, Tx
from tests.common.store.opener import Contract, Opener
from tests.common.store.tables import CLIPS, HEADS, ITEMS, Clip, Head, Item, all_ids, insert_items, items

CALLS: list[Callable[[Store], Awaitable[object]]] = [
    lambda store: store.run(insert_items("z")),
    lambda store: store.run(lambda tx: tx.get(ITEMS, ("a",))),
    lambda store: store.run(lambda tx: tx.update(ITEMS, items("a"))),
    lambda store: store.run(lambda tx: tx.delete(ITEMS, [("a",)])),
    lambda store: store.read(lambda r: r.get(ITEMS, ("a",))),
    lambda store: store.read(lambda r: r.scan(ITEMS, Query()), bounded=True),
    lambda store: store.migrate(),
    lambda store: store.status(),
    lambda store: store.unmigrated(),
    lambda store: store.projections(),
    lambda store: store.set_projection("items", "colours", enabled=False),
]


class FailureContract(Contract):
    @pytest.mark.parametrize("call", CALLS)
    async def test_every_method_of_a_closed_store_raises_our_error(
        self, store: Store, call: Callable[[Store], Awaitable[object]]
    ) -> None:
        await store.close()
        with pytest.raises(Unavailable):
            await call(store)
        await store.close()

    @pytest.mark.parametrize("call", CALLS)
    async def test_every_method_raises_our_error_when_the_database_is_down(
        self, opener: Opener, store: Store, call: Callable[[Store], Awaitable[object]]
    ) -> None:
        await store.run(insert_items("a"))
        await opener.take_down(store)
        with pytest.raises(Unavailable):
            await call(store)

    async def test_runs_that_wait_together_all_fail_when_the_database_is_down(
        self, opener: Opener, store: Store
    ) -> None:
        await opener.take_down(store)
        work = [store.run(insert_items(str(n))) for n in range(10)]
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
        assert len({id(outcome) for outcome in outcomes}) == 10

    async def test_what_was_submitted_before_the_end_is_done(self, store: Store) -> None:
        work = [asyncio.create_task(store.run(insert_items(str(n)))) for n in range(10)]
        await asyncio.sleep(0)
        await store.close()
        assert await asyncio.gather(*work) == [None] * 10

    async def test_migrating_again_changes_nothing(self, store: Store) -> None:
        await store.run(insert_items("a"))
        await store.migrate()
        assert await store.unmigrated() == []
        assert await store.read(all_ids) == ["a"]

    async def test_the_status_shows_every_table(self, store: Store) -> None:
        await store.run(insert_items("a", "b"))
        status = {table.name: table for table in await store.status()}
        assert list(status) == ["items", "heads", "clips", "log"]
        assert (status["items"].rows, status["heads"].rows) == (2, 0)
        assert status["items"].bytes > 0
        assert status["items"].projections == {"colours": True}
        assert {table.stored_version for table in status.values()} == {1}


class TwoStoresContract(Contract):
    @pytest.fixture
    async def other(self, opener: Opener, store: Store) -> Store:
        """A second store with the data of `store`."""
        return await opener.open()

    async def test_two_stores_see_the_same_rows(self, store: Store, other: Store) -> None:
        await store.run(insert_items("a"))
        for bounded in (True, False):
            assert await other.read(all_ids, bounded=bounded) == ["a"]
        await other.run(lambda tx: tx.update(ITEMS, [Item("a", 2)]))
        assert await store.read(lambda r: r.get(ITEMS, ("a",)), bounded=True) == Item("a", 2)

    async def test_one_of_two_stores_gets_a_key(self, store: Store, other: Store) -> None:
        for turn in range(10):
            work = (store.run(insert_items(str(turn))), other.run(insert_items(str(turn))))
            outcomes = await asyncio.gather(*work, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {type(None), Conflict}

    async def test_one_of_two_stores_moves_a_version(self, store: Store, other: Store) -> None:
        await store.run(insert_items("a"))

        def move(tx: Tx) -> None:
            tx.update(ITEMS, [Item("a", 2)], expect=[1])

        outcomes = await asyncio.gather(store.run(move), other.run(move), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {type(None), Conflict}

    async def test_a_touched_row_serialises_the_writers_of_two_stores(self, store: Store, other: Store) -> None:
        """What a decision rests on is also written: both look whether the flow is empty, one finds that it is not."""
        await store.run(lambda tx: tx.insert(HEADS, [Head("f")]))

        def first_clip(tx: Tx) -> bool:
            tx.touch(HEADS, ("f",))
            number = len(tx.scan(CLIPS, Query()).rows)
            tx.insert(CLIPS, [Clip(flow="f", start=number)])
            return number == 0

        assert sorted(await asyncio.gather(store.run(first_clip), other.run(first_clip))) == [False, True]

    async def test_no_update_of_two_stores_is_lost(self, store: Store, other: Store) -> None:
        await store.run(lambda tx: tx.insert(HEADS, [Head("f", 0)]))

        def advance(tx: Tx) -> None:
            head = tx.get(HEADS, ("f",))
            assert head is not None
            tx.update(HEADS, [Head("f", head.version + 1)])

        await asyncio.gather(*(each.run(advance) for each in (store, other) * 20))
        assert await store.read(lambda r: r.get(HEADS, ("f",))) == Head("f", 40)
