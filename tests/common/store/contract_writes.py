"""The contract of writes: what folds, what conflicts, and what a cell may hold."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tams_common.errors import Conflict, InvalidInput
from tams_common.store import Key, Query, Reader, Store, Table, Tx
from tams_common.store.column import CELL_BYTES, INT_MAX, INT_MIN
from tests.common.store.opener import Contract
from tests.common.store.tables import CLIPS, HEADS, ITEMS, Clip, Head, Item, all_ids, insert_items, items


def _get_many(reader: Reader, keys: list[Key]) -> object:
    return reader.get_many(ITEMS, keys)


def _delete(tx: Tx, keys: list[Key]) -> None:
    tx.delete(ITEMS, keys)


class WriteContract(Contract):
    async def test_a_transaction_sees_its_own_writes(self, store: Store) -> None:
        await store.run(insert_items("kept", "changed", "removed"))

        def work(tx: Tx) -> None:
            tx.insert(ITEMS, items("new"))
            tx.update(ITEMS, [Item("changed", 2)])
            tx.delete(ITEMS, [("removed",)])
            assert tx.get(ITEMS, ("new",)) == Item("new")
            assert tx.get(ITEMS, ("changed",)) == Item("changed", 2)
            assert tx.get(ITEMS, ("removed",)) is None
            keys = [("kept",), ("changed",), ("removed",), ("new",)]
            assert set(tx.get_many(ITEMS, keys)) == {("kept",), ("changed",), ("new",)}
            assert all_ids(tx) == ["changed", "kept", "new"]

        await store.run(work)
        assert await store.read(all_ids) == ["changed", "kept", "new"]

    async def test_writes_of_one_key_fold(self, store: Store) -> None:
        await store.run(insert_items("replaced", "gone"))

        def work(tx: Tx) -> None:
            tx.insert(ITEMS, items("vanishes", "grows"))
            tx.update(ITEMS, [Item("grows", 2)])
            tx.update(ITEMS, [Item("grows", 3), Item("gone", 2)])
            tx.delete(ITEMS, [("vanishes",), ("replaced",), ("gone",)])
            tx.insert(ITEMS, [Item("replaced", 7)])

        await store.run(work)
        rows = await store.read(lambda r: r.scan(ITEMS, Query()).rows)
        assert rows == [Item("grows", 3), Item("replaced", 7)]

    async def test_an_insert_of_an_existing_key_is_a_conflict(self, store: Store) -> None:
        await store.run(insert_items("a"))

        def again(tx: Tx) -> None:
            tx.insert(ITEMS, items("b"))
            tx.insert(ITEMS, [Item("a", 2)])

        with pytest.raises(Conflict):
            await store.run(again)
        assert await store.read(lambda r: r.scan(ITEMS, Query()).rows) == items("a")

    async def test_a_key_twice_in_one_transaction_is_a_conflict(self, store: Store) -> None:
        with pytest.raises(Conflict):
            await store.run(insert_items("a", "b", "a"))

        def twice(tx: Tx) -> None:
            tx.insert(ITEMS, items("a"))
            tx.insert(ITEMS, items("a"))

        with pytest.raises(Conflict):
            await store.run(twice)

    async def test_an_update_of_a_missing_row_is_a_conflict(self, store: Store) -> None:
        with pytest.raises(Conflict):
            await store.run(lambda tx: tx.update(ITEMS, items("a")))

        def gone(tx: Tx) -> None:
            tx.insert(ITEMS, items("a"))
            tx.delete(ITEMS, [("a",)])
            tx.update(ITEMS, items("a"))

        with pytest.raises(Conflict):
            await store.run(gone)

    @pytest.mark.parametrize(("key", "version"), [("a", 1), ("a", 3), ("missing", 1)])
    async def test_an_update_of_another_version_is_a_conflict(self, store: Store, key: str, version: int) -> None:
        await store.run(lambda tx: tx.insert(ITEMS, [Item("a", 2), Item("b", 2)]))
        with pytest.raises(Conflict, match=key):
            await store.run(lambda tx: tx.update(ITEMS, [Item("b", 3), Item(key, 3)], expect=[2, version]))
        assert await store.read(lambda r: r.scan(ITEMS, Query()).rows) == [Item("a", 2), Item("b", 2)]

    async def test_an_expected_version_may_be_one_just_written(self, store: Store) -> None:
        await store.run(lambda tx: tx.insert(ITEMS, [Item("a", 2)]))

        def twice(tx: Tx) -> None:
            tx.update(ITEMS, [Item("a", 3)], expect=[2])
            tx.update(ITEMS, [Item("a", 4)], expect=[3])

        await store.run(twice)
        assert await store.read(lambda r: r.get(ITEMS, ("a",))) == Item("a", 4)

    async def test_a_delete_ignores_keys_that_do_not_exist(self, store: Store) -> None:
        await store.run(insert_items("a", "b"))
        await store.run(lambda tx: tx.delete(ITEMS, [("a",), ("z",), ("a",)]))
        assert await store.read(all_ids) == ["b"]

    async def test_a_touch_leaves_the_row_and_needs_one(self, store: Store) -> None:
        await store.run(insert_items("a"))

        def touch(tx: Tx) -> None:
            tx.insert(ITEMS, items("b"))
            tx.touch(ITEMS, ("a",))
            tx.touch(ITEMS, ("b",))

        await store.run(touch)
        assert await store.read(lambda r: r.scan(ITEMS, Query()).rows) == items("a", "b")
        with pytest.raises(Conflict):
            await store.run(lambda tx: tx.touch(ITEMS, ("z",)))

    async def test_every_kind_of_column_comes_back_as_it_was(self, store: Store) -> None:
        rows = [
            Item("", colour=""),
            Item("bare", sealed=True, body=b""),
            Item("full", INT_MAX, "a\x00b😀'\"", INT_MIN, ready=True, sealed=False, body=bytes(range(256))),
        ]
        await store.run(lambda tx: tx.insert(ITEMS, rows))
        found = await store.read(lambda r: r.scan(ITEMS, Query()).rows)
        assert found == rows
        assert [type(row.ready) for row in found] == [bool] * 3
        picked = await store.read(lambda r: r.select(ITEMS, ("sealed", "id", "ready"), query=Query()).rows)
        assert picked == [(None, "", False), (True, "bare", False), (False, "full", True)]
        assert [type(ready) for _, _, ready in picked] == [bool] * 3

    async def test_any_number_of_keys_can_be_fetched(self, store: Store) -> None:
        def fill(tx: Tx) -> None:
            tx.insert(HEADS, [Head(f"f{n}") for n in range(7)])
            tx.insert(CLIPS, [Clip(flow=f"f{n % 7}", start=n) for n in range(3000)])
            tx.insert(ITEMS, [Item(str(n)) for n in range(3000)])

        await store.run(fill)
        keys = [(f"f{n % 7}", n) for n in range(3100)]
        assert len(await store.read(lambda r: r.get_many(CLIPS, keys))) == 3000
        assert len(await store.read(lambda r: r.get_many(ITEMS, ((str(n),) for n in range(2990, 3100))))) == 10
        assert await store.read(lambda r: r.get_many(ITEMS, ())) == {}

    @pytest.mark.parametrize(
        "row",
        [
            Item("a", body=b"x" * CELL_BYTES),
            Item("a", colour="é" * (CELL_BYTES // 2)),
            Item("a", INT_MAX),
            Item("a", INT_MIN),
        ],
        ids=["bytes", "text", "highest", "lowest"],
    )
    async def test_a_cell_holds_what_vast_db_can_keep(self, store: Store, row: Item) -> None:
        await store.run(lambda tx: tx.insert(ITEMS, [row]))
        await store.run(lambda tx: tx.update(ITEMS, [row]))
        assert await store.read(lambda r: r.get(ITEMS, ("a",))) == row

    @pytest.mark.parametrize(
        ("row", "column"),
        [
            (Item("b", body=b"x" * (CELL_BYTES + 1)), "body"),
            (Item("b", colour="é" * (CELL_BYTES // 2) + "e"), "colour"),
            (Item("b", INT_MAX + 1), "version"),
            (Item("b", size=INT_MIN - 1), "size"),
        ],
        ids=["bytes", "text", "too high", "too low"],
    )
    async def test_a_cell_holds_no_more(self, store: Store, row: Item, column: str) -> None:
        with pytest.raises(InvalidInput, match=f"items.*{column}"):
            await store.run(lambda tx: tx.insert(ITEMS, [Item("a"), row]))
        with pytest.raises(InvalidInput, match=f"items.*{column}"):
            await store.run(lambda tx: tx.update(ITEMS, [row]))

    async def test_a_value_of_another_type_is_a_mistake(self, store: Store) -> None:
        with pytest.raises(TypeError, match=r"items.*size.*int.*str"):
            await store.run(lambda tx: tx.insert(ITEMS, [Item("a", size="1")]))  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"items.*version.*int"):
            await store.run(lambda tx: tx.insert(ITEMS, [Item("a", version=True)]))
        with pytest.raises(TypeError, match=r"items.*id"):
            await store.run(lambda tx: tx.insert(ITEMS, [Item(None)]))  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="Item"):
            await store.run(lambda tx: tx.insert(ITEMS, [Head("f")]))  # type: ignore[misc]

    async def test_a_table_that_the_store_was_not_given_is_a_mistake(self, store: Store) -> None:
        other = Table("other", Item, key=("id",))
        with pytest.raises(TypeError, match="other"):
            await store.run(lambda tx: tx.insert(other, items("a")))
        with pytest.raises(TypeError, match="other"):
            await store.read(lambda r: r.get(other, ("a",)))

    async def test_a_key_of_another_shape_is_a_mistake(self, store: Store) -> None:
        keys: list[tuple[Any, ...]] = [(), ("a", "b"), (1,), (None,)]
        for key in keys:
            with pytest.raises(TypeError, match="key of table items"):
                await store.read(partial(_get_many, keys=[("a",), key]))
            with pytest.raises(TypeError, match="key of table items"):
                await store.run(partial(_delete, keys=[("a",), key]))


class GuardContract(Contract):
    @pytest.mark.parametrize(
        "guard",
        [
            lambda tx: tx.insert(HEADS, [Head("f")]),
            lambda tx: tx.update(HEADS, [Head("old", 2)]),
            lambda tx: tx.touch(HEADS, ("old",)),
        ],
        ids=["insert", "update", "touch"],
    )
    async def test_an_insert_under_a_guard_writes_the_guard(self, store: Store, guard: Callable[[Tx], None]) -> None:
        await store.run(lambda tx: tx.insert(HEADS, [Head("old")]))

        def work(tx: Tx) -> None:
            guard(tx)
            flow = "f" if tx.get(HEADS, ("f",)) else "old"
            tx.insert(CLIPS, [Clip(flow=flow, start=1), Clip(flow=flow, start=2)])

        await store.run(work)
        assert await store.read(lambda r: len(r.select(CLIPS, ("start",), query=Query()).rows)) == 2

    async def test_an_insert_without_its_guard_is_a_mistake_that_names_both(self, store: Store) -> None:
        await store.run(lambda tx: tx.insert(HEADS, [Head("f"), Head("g")]))

        def wrong_guard(tx: Tx) -> None:
            tx.touch(HEADS, ("f",))
            tx.insert(CLIPS, [Clip(flow="f", start=1), Clip(flow="g", start=1)])

        with pytest.raises(RuntimeError, match=r"clips.*'g'.*heads"):
            await store.run(wrong_guard)
        with pytest.raises(RuntimeError, match=r"clips.*'f'.*heads"):
            await store.run(lambda tx: tx.insert(CLIPS, [Clip(flow="f", start=1)]))
        assert await store.read(lambda r: r.scan(CLIPS, Query()).rows) == []

    async def test_the_guard_that_another_function_wrote_does_not_count(self, store: Store) -> None:
        await store.run(lambda tx: tx.insert(HEADS, [Head("f")]))
        work = [
            store.run(lambda tx: tx.touch(HEADS, ("f",))),
            store.run(lambda tx: tx.insert(CLIPS, [Clip(flow="f", start=1)])),
        ]
        touched, inserted = await asyncio.gather(*work, return_exceptions=True)
        assert touched is None
        assert isinstance(inserted, RuntimeError)

    async def test_updates_and_deletes_need_no_guard(self, store: Store) -> None:
        def fill(tx: Tx) -> None:
            tx.insert(HEADS, [Head("f")])
            tx.insert(CLIPS, [Clip(flow="f", start=1), Clip(flow="f", start=2)])

        await store.run(fill)
        await store.run(lambda tx: tx.update(CLIPS, [Clip(flow="f", start=1, body=b"new")]))
        await store.run(lambda tx: tx.delete(CLIPS, [("f", 2)]))
        rows = await store.read(lambda r: r.scan(CLIPS, Query()).rows)
        assert rows == [Clip(flow="f", start=1, body=b"new")]

    async def test_a_key_under_a_guard_is_unique_too(self, store: Store) -> None:
        def add(tx: Tx) -> None:
            tx.touch(HEADS, ("f",))
            tx.insert(CLIPS, [Clip(flow="f", start=1)])

        await store.run(lambda tx: tx.insert(HEADS, [Head("f")]))
        await store.run(add)
        with pytest.raises(Conflict):
            await store.run(add)
