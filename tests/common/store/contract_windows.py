"""The contract of windowed tables: which scans they allow, and how those go on page by page."""

from functools import partial

import pytest
from msgspec.structs import replace

from tams_common.store import AnyOf, Between, Contains, IsIn, Page, Query, Reader, Store, Tx, eq, ge, gt, lt
from tests.common.store.opener import Contract
from tests.common.store.tables import CLIPS, HEADS, LOG, Clip, Entry, Head

FLOW = eq("flow", "f1")
RANGES = AnyOf((Between("start", 12, 16), Between("start", 3, 7), Between("start", 15, 19), Between("start", 9, 8)))


def _fill(tx: Tx) -> None:
    tx.insert(HEADS, [Head(f"f{n}") for n in range(3)])
    tx.insert(CLIPS, [Clip(flow=f"f{n % 3}", start=n, object_id=f"o{n % 4}") for n in range(30)])
    tx.insert(LOG, [Entry(id, at) for id, at in zip("gfedcba", (1, 2, 2, 2, 3, 3, 4), strict=True)])


def _sweep(reader: Reader, query: Query) -> Page[Clip]:
    return reader.scan(CLIPS, query)


def _starts(page: Page[Clip]) -> list[int]:
    return [clip.start for clip in page.rows]


class WindowContract(Contract):
    @pytest.fixture
    async def filled(self, store: Store) -> Store:
        await store.run(_fill)
        return store

    @pytest.mark.parametrize(
        ("query", "starts"),
        [
            (Query(where=(FLOW,)), list(range(1, 30, 3))),
            (Query(where=(FLOW, ge("start", 10)), limit=3), [10, 13, 16]),
            (Query(where=(FLOW, lt("start", 10)), limit=3, reverse=True), [7, 4, 1]),
            (Query(where=(FLOW,), after=("f1", 22)), [25, 28]),
            (Query(where=(FLOW,), after=("f1", 7), reverse=True), [4, 1]),
            (Query(where=(FLOW, eq("object_id", "o0")), order=("flow", "start")), [4, 16, 28]),
            (Query(where=(FLOW, eq("start", 4))), [4]),
            (Query(where=(FLOW, eq("start", 4)), after=("f1", 4)), []),
            (Query(where=(FLOW, RANGES)), [4, 7, 13, 16, 19]),
            (Query(where=(FLOW, RANGES), limit=4), [4, 7, 13, 16]),
            (Query(where=(FLOW, RANGES), limit=5, reverse=True), [19, 16, 13, 7, 4]),
            (Query(where=(FLOW, RANGES), after=("f1", 7), limit=2), [13, 16]),
            (Query(where=(FLOW, RANGES), after=("f1", 16), reverse=True), [13, 7, 4]),
            (Query(where=(FLOW, RANGES, ge("start", 5), lt("start", 19)), limit=2), [7, 13]),
            (Query(where=(FLOW, RANGES, Between("start", 14, 99), eq("object_id", "o0"))), [16]),
            (Query(where=(FLOW, RANGES, AnyOf((eq("start", 16), gt("start", 18))))), [16, 19]),
            (Query(where=(FLOW, RANGES, ge("start", 20))), []),
        ],
    )
    async def test_a_flow_is_read_along_its_sort_key(self, filled: Store, query: Query, starts: list[int]) -> None:
        page = await filled.read(lambda r: r.scan(CLIPS, query), bounded=True)
        assert _starts(page) == starts
        assert page.more == (query.limit is not None and not query.reverse)

    async def test_a_sweep_goes_over_the_whole_table_from_its_start(self, filled: Store) -> None:
        keys: list[tuple[str, int]] = []
        more = True
        while more:
            query = Query(after=keys[-1] if keys else None, limit=7)
            page = await filled.read(partial(_sweep, query=query))
            keys += [(clip.flow, clip.start) for clip in page.rows]
            more = page.more
        assert keys == sorted((f"f{n % 3}", n) for n in range(30))
        some = await filled.read(lambda r: r.scan(CLIPS, Query(where=(eq("object_id", "o1"),))))
        assert sorted(_starts(some)) == list(range(1, 30, 4))

    async def test_a_projection_is_another_way_through_the_table(self, filled: Store) -> None:
        query = Query(where=(eq("object_id", "o1"),), order=("object_id", "flow"), limit=5)
        page = await filled.read(lambda r: r.scan(CLIPS, query), bounded=True)
        assert [(clip.flow, clip.start) for clip in page.rows] == [
            ("f0", 9),
            ("f0", 21),
            ("f1", 1),
            ("f1", 13),
            ("f1", 25),
        ]
        rest = Query(where=query.where, order=query.order, after=("o1", "f1", 13))
        page = await filled.read(lambda r: r.scan(CLIPS, rest), bounded=True)
        assert [(clip.flow, clip.start) for clip in page.rows] == [("f1", 25), ("f2", 5), ("f2", 17), ("f2", 29)]

    async def test_a_projection_is_a_way_to_few_rows_of_a_key_too(self, filled: Store) -> None:
        where = (eq("flow", "f1"), eq("object_id", "o1"), ge("start", 2))
        for reverse, starts in ((False, [13, 25]), (True, [25, 13])):
            query = Query(where=where, order=("object_id", "flow"), limit=1, reverse=reverse)
            first = await filled.read(partial(_sweep, query=query), bounded=True)
            rest = replace(query, after=("o1", "f1", starts[0]))
            second = await filled.read(partial(_sweep, query=rest), bounded=True)
            assert [clip.start for clip in (*first.rows, *second.rows)] == starts
            assert (first.more, second.more) == (True, False)

    @pytest.mark.parametrize("reverse", [False, True])
    async def test_rows_that_tie_in_the_sort_key_come_by_key(self, filled: Store, *, reverse: bool) -> None:
        first = await filled.read(lambda r: r.scan(LOG, Query(limit=3, reverse=reverse)))
        last = first.rows[-1]
        rest = await filled.read(lambda r: r.scan(LOG, Query(after=(last.at, last.id), reverse=reverse)))
        ids = "".join(entry.id for entry in (*first.rows, *rest.rows))
        assert ids == ("acbfedg" if reverse else "gdefbca")

    async def test_a_single_sort_column_may_be_bounded(self, filled: Store) -> None:
        page = await filled.read(lambda r: r.scan(LOG, Query(where=(gt("at", 2),), reverse=True)))
        assert [entry.id for entry in page.rows] == ["a", "c", "b"]

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            (Query(where=(ge("flow", "f1"),)), "flow"),
            (Query(where=(IsIn("flow", ("f1", "f2")),)), "flow"),
            (Query(reverse=True), "flow"),
            (Query(where=(FLOW,), order=("start",)), "start"),
            (Query(where=(FLOW,), order=("flow",)), "flow"),
            (Query(where=(FLOW,), order=("object_id", "flow")), "object_id"),
            (Query(order=("object_id", "flow")), "object_id"),
            (Query(where=(eq("object_id", "o1"),), order=("object_id",)), "object_id"),
            (Query(where=(FLOW, Contains("object_id", "o", negate=True))), "object_id"),
        ],
    )
    async def test_a_scan_that_would_read_the_whole_table_is_refused(
        self, filled: Store, query: Query, words: str
    ) -> None:
        with pytest.raises(TypeError, match=f"clips is windowed.*{words}"):
            await filled.read(lambda r: r.scan(CLIPS, query))
        with pytest.raises(TypeError, match=f"clips is windowed.*{words}"):
            await filled.run(lambda tx: tx.select(CLIPS, ("start",), query=query))
