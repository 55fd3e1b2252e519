"""The contract of scans: conditions, orders and pages, on stored rows and on unflushed ones alike."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import pytest

from tams_common.errors import InvalidInput
from tams_common.store import (
    AnyOf,
    Between,
    Condition,
    Contains,
    IsIn,
    IsNull,
    Query,
    Reader,
    Scalar,
    StartsWith,
    Store,
    Tx,
    eq,
    ge,
    gt,
    le,
    lt,
)
from tams_common.store.where import MOST_VALUES
from tests.common.store.opener import Contract
from tests.common.store.tables import HEADS, ITEMS, Head, Item, insert_items

T = TypeVar("T")

ROWS = [
    Item("a", 1, "red", 10, ready=True, sealed=True),
    Item("b", 2, "Red", None),
    Item("c", 3, None, -5, ready=True, sealed=False),
    Item("d", 4, "redder", 10),
    Item("e", 5, "", 0),
    Item("f", 6, "re%_d\U0010ffff\U0010ffff", 30),
    Item("g", 7, "\U0010ffffx", 10, ready=True),
    Item("h", 8, None, None),
    Item("i", 9, "\ud7ffé", 31),
]

CONDITIONS: list[tuple[Condition, str]] = [
    (eq("size", 10), "adg"),
    (eq("colour", "red"), "a"),
    (eq("ready", True), "acg"),
    (eq("sealed", False), "c"),
    (eq("body", b"{}"), "abcdefghi"),
    (lt("size", 10), "ce"),
    (le("size", 10), "acdeg"),
    (gt("size", 10), "fi"),
    (ge("size", 10), "adfgi"),
    (gt("colour", "red"), "dgi"),
    (Between("size", 0, 10), "adeg"),
    (Between("colour", "Red", "red"), "abf"),
    (Between("size", 10, 0), ""),
    (IsIn("id", ("a", "c", "zz")), "ac"),
    (IsIn("size", (10, -5, 10)), "acdg"),
    (IsIn("size", ()), ""),
    (IsIn("size", tuple(range(5, 5 + MOST_VALUES))), "adfgi"),
    (StartsWith("colour", "red"), "ad"),
    (StartsWith("colour", ""), "abdefgi"),
    (StartsWith("colour", "re%"), "f"),
    (StartsWith("colour", "re%_d\U0010ffff"), "f"),
    (StartsWith("colour", "\U0010ffff"), "g"),
    (StartsWith("colour", "\ud7ff"), "i"),
    (Contains("colour", "ed"), "abd"),
    (Contains("colour", "%_"), "f"),
    (Contains("colour", "é"), "i"),
    (Contains("colour", ""), "abdefgi"),
    (Contains("colour", "ed", negate=True), "efgi"),
    (Contains("colour", "ED", negate=True), "abdefgi"),
    (Contains("colour", "", negate=True), ""),
    (IsNull("colour"), "ch"),
    (IsNull("size", negate=True), "acdefgi"),
    (AnyOf((eq("colour", "red"), IsNull("colour"))), "ach"),
    (AnyOf((lt("size", 0), Between("size", 30, 40), eq("size", 10))), "acdfgi"),
    (AnyOf((StartsWith("colour", "R"), Contains("colour", "der"))), "bd"),
]


def in_order(order: Sequence[str], *, reverse: bool) -> list[Item]:
    """ROWS as a scan must show them: nulls after values, ties by id; all of it turned round in reverse (SORT-8)."""

    def place(row: Item) -> list[tuple[bool, Scalar]]:
        cells = [getattr(row, column) for column in (*order, "id")]
        return [(cell is None, "" if cell is None else cell) for cell in cells]

    return sorted(ROWS, key=place, reverse=reverse)


class ScanContract(Contract):
    @pytest.fixture(params=["stored", "unflushed", "half of each"])
    def look(self, request: pytest.FixtureRequest, store: Store) -> "Look":
        """Shows ROWS to a function: as stored rows, as rows of the same transaction, or as a mixture of both."""
        share = {"stored": ROWS, "unflushed": [], "half of each": ROWS[::2]}[request.param]
        return Look(store, share)

    @pytest.mark.parametrize(("condition", "ids"), CONDITIONS)
    async def test_a_condition_picks_rows(self, look: "Look", condition: Condition, ids: str) -> None:
        rows = await look(lambda r: r.scan(ITEMS, Query(where=(condition,))).rows)
        assert "".join(row.id for row in rows) == ids

    async def test_conditions_are_all_met(self, look: "Look") -> None:
        where = (eq("size", 10), IsNull("colour", negate=True), gt("id", "a"))
        page = await look(lambda r: r.select(ITEMS, ("version",), query=Query(where=where)))
        assert page.rows == [(4,), (7,)]
        assert not page.more

    @pytest.mark.parametrize("reverse", [False, True])
    @pytest.mark.parametrize(
        "order", [(), ("size",), ("colour", "size"), ("ready", "size"), ("size", "id"), ("sealed",)]
    )
    async def test_pages_in_any_order_of_a_small_table_show_each_row_once(
        self, look: "Look", order: tuple[str, ...], *, reverse: bool
    ) -> None:
        total = order if "id" in order else (*order, "id")

        def walk(reader: Reader, limit: int | None) -> list[Item]:
            rows: list[Item] = []
            after = None
            while True:
                page = reader.scan(ITEMS, Query(order=order, after=after, limit=limit, reverse=reverse))
                assert limit is None or len(page.rows) <= limit
                rows += page.rows
                assert page.more == (len(rows) < len(ROWS))
                if not page.more:
                    return rows
                after = tuple(getattr(rows[-1], column) for column in total)

        for limit in (1, 2, 4, 9, 10, None):
            assert await look(partial(walk, limit=limit)) == in_order(order, reverse=reverse)

    async def test_a_page_of_a_condition_ends_where_its_rows_end(self, look: "Look") -> None:
        query = Query(where=(eq("size", 10),), order=("size", "id"), after=(10, "a"), limit=2)
        page = await look(lambda r: r.select(ITEMS, ("id", "size"), query=query))
        assert page.rows == [("d", 10), ("g", 10)]
        assert not page.more

    async def test_a_negated_condition_is_met_before_the_limit(self, look: "Look") -> None:
        where = (Contains("colour", "ed", negate=True), Contains("colour", "x", negate=True))
        query = Query(where=where, order=("size",), limit=2)
        page = await look(lambda r: r.select(ITEMS, ("id",), query=query))
        assert (page.rows, page.more) == ([("e",), ("f",)], True)
        page = await look(lambda r: r.select(ITEMS, ("id",), query=Query(where, ("size",), (30, "f"), 2)))
        assert (page.rows, page.more) == ([("i",)], False)
        rows = await look(lambda r: r.scan(ITEMS, Query((*where, eq("size", 0)), limit=2, reverse=True)).rows)
        assert rows == [ROWS[4]]

    def test_a_negated_condition_is_no_alternative(self) -> None:
        with pytest.raises(ValueError, match="negated"):
            AnyOf((Contains("colour", "a"), Contains("colour", "b", negate=True)))

    async def test_no_limit_asks_for_nothing_but_whether_there_is_more(self, look: "Look") -> None:
        page = await look(lambda r: r.scan(ITEMS, Query(limit=0)))
        assert (page.rows, page.more) == ([], True)
        page = await look(lambda r: r.scan(ITEMS, Query(where=(eq("size", 99),), limit=0)))
        assert (page.rows, page.more) == ([], False)

    @pytest.mark.parametrize(
        "query",
        [
            Query(after=()),
            Query(after=("a", "b")),
            Query(after=(1,)),
            Query(after=(None,)),
            Query(order=("size",), after=("a", 1)),
            Query(order=("size",), after=(True, "a")),
            Query(where=(eq("size", 10),), order=("size",), after=(9, "a")),
        ],
    )
    async def test_a_position_of_another_query_is_invalid_input(self, look: "Look", query: Query) -> None:
        with pytest.raises(InvalidInput, match="items"):
            await look(lambda r: r.scan(ITEMS, query))

    async def test_a_value_beyond_64_bits_is_invalid_input(self, look: "Look") -> None:
        with pytest.raises(InvalidInput, match="64"):
            await look(lambda r: r.scan(ITEMS, Query(where=(lt("size", 2**63),))))

    @pytest.mark.parametrize("query", [Query(where=(eq("nothing", 1),)), Query(order=("nothing",))])
    async def test_a_column_that_is_not_declared_is_a_mistake(self, look: "Look", query: Query) -> None:
        with pytest.raises(TypeError, match="nothing"):
            await look(lambda r: r.scan(ITEMS, query))
        with pytest.raises(TypeError, match="nothing"):
            await look(lambda r: r.select(ITEMS, ("nothing",), query=Query()))

    @pytest.mark.parametrize(
        "condition",
        [
            eq("size", "10"),
            eq("ready", 1),
            lt("colour", 1),
            Between("size", 0, "9"),
            IsIn("id", ("a", 1)),
            StartsWith("size", "1"),
            Contains("body", "{"),
            AnyOf((IsNull("size"), eq("size", True))),
        ],
    )
    async def test_a_condition_on_another_type_is_a_mistake(self, look: "Look", condition: Condition) -> None:
        with pytest.raises(TypeError, match=condition.column):
            await look(lambda r: r.scan(ITEMS, Query(where=(condition,))))

    async def test_a_scan_shows_its_own_writes_in_place_of_what_is_stored(self, store: Store) -> None:
        await store.run(insert_items(*"abcdefgh"))

        def work(tx: Tx) -> None:
            tx.delete(ITEMS, [(id,) for id in "abf"])
            tx.update(ITEMS, [Item("d", 2)])
            tx.insert(ITEMS, [Item("cc"), Item("b", 2)])
            page = tx.scan(ITEMS, Query(limit=4))
            assert page.rows == [Item("b", 2), Item("c"), Item("cc"), Item("d", 2)]
            assert page.more
            page = tx.scan(ITEMS, Query(after=("d",), limit=3))
            assert page.rows == [Item("e"), Item("g"), Item("h")]
            assert not page.more
            page = tx.scan(ITEMS, Query(limit=2, reverse=True, after=("e",)))
            assert page.rows == [Item("d", 2), Item("cc")]
            assert tx.select(ITEMS, ("version",), query=Query(where=(eq("version", 2),))).rows == [(2,), (2,)]

        await store.run(work)

    async def test_a_small_table_whose_key_is_its_order_is_paged_by_key(self, store: Store) -> None:
        await store.run(lambda tx: tx.insert(HEADS, [Head(f"f{n}") for n in range(5)]))
        page = await store.read(lambda r: r.scan(HEADS, Query(after=("f1",), limit=2)), bounded=True)
        assert [row.flow for row in page.rows] == ["f2", "f3"]
        assert page.more


class Look:
    """Runs a function on a reader that shows ROWS, `stored` of them from the tables and the rest as its own writes."""

    def __init__(self, store: Store, stored: Sequence[Item]) -> None:
        self._store = store
        self._stored = stored

    async def __call__(self, fn: Callable[[Reader], T]) -> T:
        if await self._store.read(lambda r: not r.scan(ITEMS, Query(limit=1)).rows):
            await self._store.run(lambda tx: tx.insert(ITEMS, self._stored))
        pending = [row for row in ROWS if row not in self._stored]
        if not pending:
            return await self._store.read(fn)

        def work(tx: Tx) -> T:
            tx.insert(ITEMS, pending)
            result = fn(tx)
            tx.delete(ITEMS, [(row.id,) for row in pending])
            return result

        return await self._store.run(work)
