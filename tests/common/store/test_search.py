"""Filtered pages of tables with tokens on SQLite: whichever way is taken, they show what the conditions mean."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tams_common.errors import Conflict
from tams_common.store import AnyOf, Contains, IsNull, Projection, Query, Small, Table, Tx, eq, ge, lt
from tams_common.store.evaluation import meets
from tams_common.store.layout import Layouts
from tams_common.store.scans import resolve
from tams_common.store.sqlite import SqliteStore
from tams_common.store.sqlite.database import Database
from tams_common.store.sqlite.paths import Paths
from tams_common.store.sqlite.postings import Postings
from tams_common.store.sqlite.search import Search
from tams_common.store.sqlite.session import Session
from tams_common.store.sqlite.tokens import TokenIndex
from tams_common.store.where import Condition


class Tape(msgspec.Struct, frozen=True):
    """A row with everything that a list is filtered and ordered by."""

    id: str
    made: int
    shelf: str | None = None
    title: str = ""
    marks: str = ""
    length: int | None = None
    body: bytes = b"{}"


TAPES = Table(
    "tapes",
    Tape,
    ("id",),
    sort=("made",),
    paging=Small(tokens=("marks",)),
    projections=(Projection("by_shelf", ("shelf", "made")), Projection("by_title", ("title",))),
)
MARKS = ["", "|a|", "|b|", "|a|b|", "|a|b|c|", "|ab|"]
ROWS = st.builds(
    Tape,
    st.sampled_from([f"t{n:02}" for n in range(40)]),
    st.integers(0, 9),
    st.sampled_from([None, "s1", "s2"]),
    st.sampled_from(["", "x", "y"]),
    st.sampled_from(MARKS),
    st.none() | st.integers(0, 3),
)
CONDITIONS = st.sampled_from(
    [
        eq("shelf", "s1"),
        eq("shelf", "s9"),
        IsNull("shelf"),
        eq("title", "x"),
        eq("marks", ""),
        Contains("marks", "|a|"),
        Contains("marks", "|ab|"),
        Contains("marks", "b"),
        Contains("marks", "|none|"),
        Contains("marks", "|a|", negate=True),
        Contains("marks", "|c|", negate=True),
        AnyOf((Contains("marks", "|a|"), Contains("marks", "|c|"))),
        AnyOf((Contains("marks", "|ab|"), Contains("marks", "b"))),
        ge("length", 1),
        lt("length", 2),
    ]
)
ORDERS = st.sampled_from([("made",), ("title",), (), ("id",)])
WRITES = st.lists(st.tuples(st.sampled_from(["put", "put", "delete", "anew"]), ROWS), max_size=12)


@contextmanager
def reading(path: Path) -> Iterator[Session]:
    """A session that looks into the file of a store."""
    database = Database(path, "tapes", layouts=Layouts((TAPES,)), durable=False)
    session = Session(database, database.connect_reader(1))
    try:
        yield session
    finally:
        session.connection.close()


@contextmanager
def filled(directory: Path, rows: list[Tape]) -> Iterator[Session]:
    """A reading session on the stored `rows`."""

    async def fill() -> None:
        store = SqliteStore(directory, "tapes", tables=(TAPES,))
        await store.open()
        await store.migrate()
        await store.run(lambda tx: tx.delete(TAPES, [TAPES.key_of(row) for row in tx.scan(TAPES, Query()).rows]))
        await store.run(lambda tx: tx.insert(TAPES, rows))
        await store.close()

    asyncio.run(fill())
    with reading(directory / "tapes.sqlite") as session:
        yield session


@pytest.mark.property
@settings(max_examples=60)
@given(
    rows=st.lists(ROWS, unique_by=lambda row: row.id, max_size=40),
    where=st.lists(CONDITIONS, min_size=1, max_size=4, unique=True),
    order=ORDERS,
    reverse=st.booleans(),
)
def test_every_way_leads_to_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[Tape],
    where: list[Condition],
    order: tuple[str, ...],
    reverse: bool,
) -> None:
    layout = Layouts((TAPES,)).of(TAPES)
    total = layout.total_order(order)
    expected = sorted(
        (tuple(getattr(row, name) for name in total) for row in rows if meets(row, where)), reverse=reverse
    )
    with filled(tmp_path_factory.getbasetemp() / "search", rows) as session:
        for trial in (1, 20, 4000):
            for limit in (1, 3, 50):
                seen: list[tuple[object, ...]] = []
                while True:
                    after = seen[-1] if seen else None
                    query = resolve(layout, Query(tuple(where), order, after, limit, reverse))  # type: ignore[arg-type]
                    found = Search(
                        Paths(session, layout, query=query), Postings(layout), query=query, trial=trial
                    ).places()
                    assert len(found) <= limit + 1
                    seen += found[:limit]
                    if len(found) <= limit:
                        break
                assert seen == expected, (trial, limit)


def _write(tx: Tx, kind: str, *, row: Tape, model: dict[str, Tape]) -> None:
    """One write on the table and on the model of it."""
    exists = row.id in model
    if kind == "delete" or (kind == "anew" and exists):
        tx.delete(TAPES, [(row.id,)])
        model.pop(row.id, None)
        exists = False
    if kind != "delete":
        (tx.update if exists else tx.insert)(TAPES, [row])
        model[row.id] = row


def _write_all(tx: Tx, *, writes: list[tuple[str, Tape]], model: dict[str, Tape]) -> None:
    for kind, row in writes:
        _write(tx, kind, row=row, model=model)


@pytest.mark.property
@settings(max_examples=40)
@given(runs=st.lists(WRITES, min_size=1, max_size=4))
async def test_tokens_follow_every_write(runs: list[list[tuple[str, Tape]]]) -> None:
    model: dict[str, Tape] = {}
    store = SqliteStore(None, "tapes", tables=(TAPES,))
    await store.open()
    await store.migrate()
    for writes in runs:
        await store.run(partial(_write_all, writes=writes, model=model))
    with reading(store.path) as session:
        found = session.execute('SELECT token, made, id FROM "tapes.tokens"')
        rows = session.execute("SELECT id, marks, title FROM tapes")
    await store.close()
    tokens = TokenIndex(Layouts((TAPES,)).of(TAPES))
    assert sorted(found) == sorted(entry for row in model.values() for entry in tokens.entries(row))
    assert sorted(rows) == sorted((row.id, row.marks, row.title) for row in model.values())


async def test_an_update_of_a_row_that_is_gone_is_a_conflict() -> None:
    store = SqliteStore(None, "tapes", tables=(TAPES,))
    await store.open()
    await store.migrate()
    with pytest.raises(Conflict):
        await store.run(lambda tx: tx.update(TAPES, [Tape("none", 1)]))
    await store.run(lambda tx: tx.insert(TAPES, [Tape("one", 1, marks="|a|")]))
    with pytest.raises(Conflict):
        await store.run(lambda tx: tx.insert(TAPES, [Tape("one", 2, marks="|b|")]))
    page = await store.read(lambda reader: reader.scan(TAPES, Query((Contains("marks", "|a|"),), limit=5)))
    assert page.rows == [Tape("one", 1, marks="|a|")]
    await store.close()


async def test_what_is_not_flushed_yet_is_found_too() -> None:
    store = SqliteStore(None, "tapes", tables=(TAPES,))
    await store.open()
    await store.migrate()
    await store.run(lambda tx: tx.insert(TAPES, [Tape("one", 1, marks="|a|"), Tape("two", 2, marks="|b|")]))

    def change(tx: Tx) -> list[str]:
        tx.update(TAPES, [Tape("two", 2, marks="|a|")])
        tx.insert(TAPES, [Tape("three", 3, marks="|a|")])
        tx.delete(TAPES, [("one",)])
        query = Query((Contains("marks", "|a|"),), ("made",), None, 5, reverse=True)
        return [row.id for row in tx.scan(TAPES, query).rows]

    assert await store.run(change) == ["three", "two"]
    await store.close()


@pytest.mark.parametrize("column", ["length", "shelf", "body"])
def test_tokens_are_text_that_is_never_null(column: str) -> None:
    with pytest.raises(TypeError, match=column):
        Layouts((Table("tapes", Tape, ("id",), paging=Small(tokens=(column,))),))
