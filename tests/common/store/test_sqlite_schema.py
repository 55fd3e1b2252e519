"""Migration of SQLite tables: what it adds, what it refuses, and that newer data stops the start."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path

import msgspec
import pytest

from tams_common.errors import StartRefused, Unavailable
from tams_common.store import Page, Projection, Query, Reader, Small, Table, TableStatus, Windowed, eq
from tams_common.store.sqlite import SqliteStore
from tams_common.store.table import AnyTable
from tests.common.store.sqlite_probe import trace_near_reader


class Thing(msgspec.Struct, frozen=True):
    id: str
    size: int
    note: str | None


class GrownThing(msgspec.Struct, frozen=True):
    """Thing with columns of every kind, some of them in between."""

    id: str
    size: int
    order: int = -7
    quoted: str = 'it\'s "here"'
    note: str | None = None
    flag: bool = True
    raw: bytes = b"\x00'\xff"
    perhaps: bool | None = None


class OtherType(msgspec.Struct, frozen=True):
    id: str
    size: str
    note: str | None


class Tagged(msgspec.Struct, frozen=True):
    id: str
    size: int
    note: str | None
    tags: str = ""


class NotNull(msgspec.Struct, frozen=True):
    id: str
    size: int
    note: str


class Shrunk(msgspec.Struct, frozen=True):
    id: str
    size: int


class NoDefault(msgspec.Struct, frozen=True):
    id: str
    size: int
    note: str | None
    added: int


BY_SIZE = Projection("by_size", ("size",))
THINGS = Table("things", Thing, key=("id",), projections=(BY_SIZE,))


@asynccontextmanager
async def opened(directory: Path, tables: Sequence[AnyTable]) -> AsyncIterator[SqliteStore]:
    """An open store that is not migrated."""
    store = SqliteStore(directory, "schema", tables=tables)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def directory(tmp_path: Path) -> Path:
    """Where THINGS holds a row, at version 1."""
    async with opened(tmp_path, [THINGS]) as store:
        await store.migrate()
        await store.run(lambda tx: tx.insert(THINGS, [Thing("a", 1, None)]))
    return tmp_path


def _scan(reader: Reader, table: Table[Thing], *, query: Query) -> Page[Thing]:
    return reader.scan(table, query)


def statements(directory: Path) -> dict[str, str]:
    """The stored tables and indexes with their SQL."""
    with closing(sqlite3.connect(directory / "schema.sqlite")) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return dict(rows.fetchall())


async def test_new_columns_and_tables_come_beside_what_is_stored(directory: Path) -> None:
    things = Table("things", GrownThing, key=("id",), projections=(BY_SIZE,), version=2)
    more = Table("more", Thing, key=("id",))
    async with opened(directory, [things, more]) as store:
        assert await store.unmigrated() == ["things", "more"]
        before, absent = await store.status()
        assert (before.stored_version, absent.stored_version) == (1, None)
        assert before.drift[0] == "column order missing"
        assert not absent.drift
        await store.migrate()
        assert await store.read(lambda r: r.get(things, ("a",))) == GrownThing("a", 1)
        row = GrownThing("b", 2, order=3, quoted="", note="n", flag=False, raw=b"", perhaps=True)
        await store.run(lambda tx: tx.insert(things, [row]))
        assert await store.read(lambda r: r.get(things, ("b",))) == row
        assert await store.status() == [
            TableStatus("things", 2, 2, rows=2, bytes=81, projections={"by_size": True}, sorting="by index"),
            TableStatus("more", 1, 1, rows=0, bytes=0, projections={}, sorting="by index"),
        ]


async def test_projections_come_and_go(directory: Path) -> None:
    by_note = Projection("by_note", ("note", "size"))
    renewed = Projection("by_size", ("size", "note"))
    for version, projections in enumerate([(BY_SIZE, by_note), (renewed,), ()], 2):
        things = Table("things", Thing, key=("id",), projections=projections, version=version)
        async with opened(directory, [things]) as store:
            await store.migrate()
            status = (await store.status())[0]
            assert status.projections == {projection.name: True for projection in projections}
        indexes = {name.rpartition(".")[2]: sql for name, sql in statements(directory).items() if "projection" in name}
        assert set(indexes) == {projection.name for projection in projections}
        for projection in projections:
            assert all(f'"{column}"' in indexes[projection.name] for column in projection.columns)


async def test_a_disabled_projection_stays_off_when_its_columns_change(directory: Path) -> None:
    by_note = Projection("by_note", ("note",))
    renewed = Projection("by_size", ("size", "note"))
    async with opened(directory, [THINGS]) as store:
        await store.set_projection("things", "by_size", enabled=False)
    async with opened(
        directory, [Table("things", Thing, key=("id",), projections=(renewed, by_note), version=2)]
    ) as new:
        assert (await new.status())[0].drift == ("projection by_size changed", "projection by_note missing")
        for name in ("by_size", "by_note"):
            with pytest.raises(StartRefused, match=f"{name}.*not migrated"):
                await new.set_projection("things", name, enabled=True)
        await new.migrate()
        assert (await new.status())[0].projections == {"by_size": False, "by_note": True}
        await new.set_projection("things", "by_size", enabled=True)
        by_size, by_note_status = await new.projections()
        assert (by_size.columns, by_size.enabled, by_size.rows) == (("size", "note"), True, 1)
        assert by_size.bytes == by_note_status.bytes
    assert '"size", "note"' in statements(directory)["things.projection.by_size"]


async def test_what_is_stored_otherwise_shows_as_drift(directory: Path) -> None:
    other = Table("things", Shrunk, key=("id",), paging=Windowed(), version=2)
    async with opened(directory, [other]) as store:
        status = (await store.status())[0]
    words = ("column note not declared", "projection by_size not declared", "other key, order, paging or tokens")
    assert status.drift == words
    assert status.sorting == "in order"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (Table("things", OtherType, key=("id",), projections=(BY_SIZE,), version=2), "size.*type"),
        (Table("things", NotNull, key=("id",), projections=(BY_SIZE,), version=2), "note.*type"),
        (Table("things", Shrunk, key=("id",), projections=(BY_SIZE,), version=2), "note.*not declared"),
        (Table("things", NoDefault, key=("id",), projections=(BY_SIZE,), version=2), "added.*no default"),
        (Table("things", Thing, key=("id", "size"), projections=(BY_SIZE,), version=2), "another key"),
        (Table("things", Thing, key=("id",), sort=("size",), projections=(BY_SIZE,), version=2), "order"),
        (Table("things", Thing, key=("id",), paging=Windowed(), projections=(BY_SIZE,), version=2), "paging"),
        (Table("things", Tagged, key=("id",), paging=Small(tokens=("tags",)), version=2), "tokens"),
        (Table("things", Thing, key=("id",)), "version 1"),
    ],
)
async def test_a_change_that_is_not_additive_is_refused_whole(directory: Path, table: AnyTable, words: str) -> None:
    before = statements(directory)
    async with opened(directory, [Table("earlier", Thing, key=("id",)), table]) as store:
        with pytest.raises(StartRefused, match=f"things.*{words}"):
            await store.migrate()
    assert statements(directory) == before


async def test_a_newer_schema_stops_the_start(directory: Path) -> None:
    newer = Table("things", Thing, key=("id",), projections=(BY_SIZE,), version=3)
    async with opened(directory, [newer]) as store:
        await store.migrate()
    store = SqliteStore(directory, "schema", tables=[THINGS])
    words = "written by a newer version: table things is version 3, this software knows 1"
    with pytest.raises(StartRefused, match=words):
        await store.open()
    with pytest.raises(Unavailable):
        await store.read(lambda r: r.get(THINGS, ("a",)))


async def test_a_schema_that_became_newer_since_the_start_is_not_migrated(directory: Path) -> None:
    newer = Table("things", Thing, key=("id",), projections=(BY_SIZE,), version=2)
    async with opened(directory, [THINGS]) as old, opened(directory, [newer]) as new:
        await new.migrate()
        with pytest.raises(StartRefused, match="version 2"):
            await old.migrate()


async def test_a_file_that_is_no_database_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "schema.sqlite").write_text("not a database, but long enough to be looked at " * 100)
    with pytest.raises(StartRefused, match="damaged"):
        await SqliteStore(tmp_path, "schema", tables=[THINGS]).open()


async def test_a_directory_that_cannot_be_one_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="schema"):
        await SqliteStore(tmp_path / "file", "schema", tables=[THINGS]).open()


async def test_tables_that_are_not_migrated_are_unavailable(tmp_path: Path) -> None:
    async with opened(tmp_path, [THINGS]) as store:
        with pytest.raises(Unavailable, match="things"):
            await store.run(lambda tx: tx.insert(THINGS, [Thing("a", 1, None)]))
        with pytest.raises(Unavailable, match="things"):
            await store.read(lambda r: r.scan(THINGS, Query()), bounded=True)


@pytest.mark.parametrize("paging", [Windowed(), Small()])
async def test_pages_of_every_declared_order_are_read_along_an_index(tmp_path: Path, paging: Windowed | Small) -> None:
    table = Table("things", Thing, key=("id",), sort=("size", "id"), paging=paging, projections=(BY_SIZE,))
    queries = [
        Query(where=(eq("size", 1),), after=(1, "a"), limit=3),
        Query(where=(eq("size", 1),), after=(1, "a"), limit=3, reverse=True),
        Query(where=(eq("size", 1),), order=("size",), after=(1, "a"), limit=3),
        Query(limit=3),
    ]
    async with opened(tmp_path, [table]) as store:
        await store.migrate()
        texts = trace_near_reader(store)
        for query in queries:
            await store.read(partial(_scan, table=table, query=query), bounded=True)
        with closing(sqlite3.connect(store.path)) as connection:
            plans = [
                row[3]
                for text in texts
                if text.startswith("SELECT")
                for row in connection.execute(f"EXPLAIN QUERY PLAN {text}").fetchall()
            ]
    assert len(plans) == len(queries)
    assert not [plan for plan in plans if "TEMP B-TREE" in plan]
    assert all(plan.startswith("SEARCH things") and ("id>?" in plan or "id<?" in plan) for plan in plans[:-1])


@pytest.mark.parametrize("key", [("id",), ("size", "id"), ("id", "size")])
@pytest.mark.parametrize("paging", [Windowed(), Small()])
async def test_rows_of_many_keys_are_found_along_an_index(
    tmp_path: Path, key: tuple[str, ...], paging: Windowed | Small
) -> None:
    table = Table("things", Thing, key=key, sort=("size", "id"), paging=paging)
    things = [Thing(f"{number}", number, None) for number in range(5)]
    async with opened(tmp_path, [table]) as store:
        await store.migrate()
        await store.run(lambda tx: tx.insert(table, things))
        texts = trace_near_reader(store)
        found = await store.read(lambda r: r.get_many(table, map(table.key_of, things[:3])), bounded=True)
        with closing(sqlite3.connect(store.path)) as connection:
            (text,) = (text for text in texts if text.startswith("SELECT"))
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}").fetchall()]
    assert sorted(found.values(), key=table.key_of) == things[:3]
    assert any(step.startswith("SEARCH things") for step in plan)
    assert not any(step.startswith("SCAN things") for step in plan)
