"""How tables get to VAST DB: places, first and later migrations, refusals, and two services side by side."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import msgspec
import pytest

from tams_common.errors import StartRefused, Unavailable
from tams_common.store import Projection, Query, Table, eq
from tams_common.store.vast import Place, VastStore, place_of
from tests import vast
from tests.common.store.tables import ITEMS, TABLES, all_ids, insert_items
from tests.common.store.vast_opener import Emulators, VastOpener, place
from vast_emulator.server import Emulator


class Grown(msgspec.Struct, frozen=True):
    """An item of a later version."""

    id: str
    version: int = 1
    colour: str | None = None
    size: int | None = None
    ready: bool = False
    sealed: bool | None = None
    body: bytes = b"{}"
    note: str = "none yet"
    weight: int | None = None


PROJECTIONS = (Projection("colours", ("colour",)), Projection("sizes", ("size",)))
GROWN = Table("items", Grown, key=("id",), projections=PROJECTIONS, version=2)


@pytest.fixture
async def opener(emulators: Emulators) -> AsyncIterator[VastOpener]:
    async with AsyncExitStack() as stores:
        yield emulators.opener(stores)


class TestPlaces:
    @pytest.mark.parametrize(
        ("url", "endpoint", "schema"),
        [
            ("vast://db.example:9090/media/tams", "http://db.example:9090", "tams"),
            ("vast+https://db.example/media/tams/test", "https://db.example", "tams/test"),
            ("vast://[::1]:80/media/tams/", "http://[::1]:80", "tams"),
        ],
    )
    def test_a_url_names_endpoint_bucket_and_schema(self, url: str, endpoint: str, schema: str) -> None:
        assert place_of(url, access_key="a", secret_key="s") == Place(endpoint, "media", schema, "a", "s")

    @pytest.mark.parametrize(
        "url",
        ["vast:", "vast://", "vast://host", "vast://host/bucket", "vast://host:x/b/s", "vast://h/b/s?x", "s3://h/b/s"],
    )
    def test_a_url_that_lacks_something_says_what_is_expected(self, url: str) -> None:
        with pytest.raises(StartRefused, match=r"TAMS_STORE_URL.*vast://HOST:PORT/BUCKET/SCHEMA"):
            place_of(url, access_key="a", secret_key="s")

    def test_keys_do_not_stand_in_the_url_and_are_not_shown(self) -> None:
        with pytest.raises(StartRefused, match="TAMS_VAST_ACCESS_KEY"):
            place_of("vast://key:secret@host/b/s", access_key="a", secret_key="s")
        with pytest.raises(StartRefused, match="TAMS_VAST_SECRET_KEY"):
            place_of("vast://host/b/s", access_key="a", secret_key="")
        assert "hidden" not in repr(place_of("vast://host/b/s", access_key="a", secret_key="hidden"))


class TestRefusals:
    async def test_a_wrong_secret_names_the_key(self, opener: VastOpener) -> None:
        store = VastStore(msgspec.structs.replace(opener.place, secret_key="wrong"), "tables", tables=TABLES)
        with pytest.raises(Unavailable, match="TAMS_VAST_ACCESS_KEY"):
            await store.open()

    async def test_a_bucket_that_is_not_there_is_not_made(self, opener: VastOpener) -> None:
        store = VastStore(msgspec.structs.replace(opener.place, bucket="nothing"), "tables", tables=TABLES)
        await store.open()
        with pytest.raises(StartRefused, match="bucket nothing"):
            await store.migrate()
        await store.close()

    async def test_a_store_that_is_not_migrated_says_so(self, opener: VastOpener) -> None:
        store = VastStore(opener.place, "tables", tables=TABLES)
        await store.open()
        assert {table.stored_version for table in await store.status()} == {None}
        assert {projection.enabled for projection in await store.projections()} == {False}
        for call in (store.read(all_ids), store.run(insert_items("a"))):
            with pytest.raises(Unavailable, match="tams tables migrate"):
                await call
        with pytest.raises(StartRefused, match="tams tables migrate"):
            await store.set_projection("items", "colours", enabled=True)
        await store.close()

    async def test_a_newer_table_refuses_the_start(self, opener: VastOpener) -> None:
        await opener.vast((GROWN,))
        with pytest.raises(StartRefused, match="items is version 2, this software knows 1"):
            await VastStore(opener.place, "tables", tables=(ITEMS,)).open()

    @pytest.mark.parametrize(
        ("table", "words"),
        [
            (Table("items", Grown, key=("id",)), "version 1 with another declaration"),
            (Table("items", Grown, key=("id", "version"), version=2), "another key, order, paging or tokens"),
        ],
    )
    async def test_what_is_not_additive_is_refused(self, opener: VastOpener, table: Table[Grown], words: str) -> None:
        store = await opener.vast((ITEMS,))
        await store.run(insert_items("a"))
        with pytest.raises(StartRefused, match=words):
            await opener.vast((table,))
        assert await store.read(all_ids) == ["a"]


class TestMigrations:
    async def test_new_columns_get_their_defaults_and_projections_their_order(self, opener: VastOpener) -> None:
        store = await opener.vast((ITEMS,))
        await store.run(insert_items("a", "b"))
        grown = await opener.vast((GROWN,))
        rows = await grown.read(lambda r: r.scan(GROWN, Query((eq("note", "none yet"),))).rows)
        assert rows == [Grown("a"), Grown("b")]
        [status] = await grown.status()
        assert (status.stored_version, status.drift) == (2, ())
        assert status.projections == {"colours": True, "sizes": True}
        [old] = await store.status()
        assert old.drift == (
            "column note not declared",
            "column weight not declared",
            "projection colours changed",
            "projection sizes not declared",
        )

    async def test_a_disabled_projection_stays_so_through_a_migration(self, opener: VastOpener) -> None:
        store = await opener.vast((ITEMS,))
        await store.set_projection("items", "colours", enabled=False)
        [status] = await (await opener.vast((GROWN,))).status()
        assert status.projections == {"colours": False, "sizes": True}

    async def test_two_services_may_declare_tables_of_one_name(self, opener: VastOpener) -> None:
        one, two = (VastStore(opener.place, name, tables=(ITEMS,)) for name in ("one", "two"))
        for store in (one, two):
            await store.open()
            await store.migrate()
        await one.run(insert_items("a"))
        assert (await one.read(all_ids), await two.read(all_ids)) == (["a"], [])
        for store in (one, two):
            await store.close()

    async def test_the_status_tells_how_rows_are_sorted(self, opener: VastOpener) -> None:
        store = await opener.vast()
        sorting = {table.name: table.sorting for table in await store.status()}
        assert sorting["clips"].startswith("by flow, start")
        assert sorting["log"].startswith("by at")


class TestTidying:
    async def test_the_schemas_of_a_run_are_dropped_with_all_that_is_in_them(self, emulator: Emulator) -> None:
        server = vast.Server(f"vast://{emulator.url.removeprefix('http://')}/vastdb")
        async with AsyncExitStack() as stores:
            ours, theirs = VastOpener(place(emulator), stores), VastOpener(place(emulator), stores)
            one, other = await ours.vast(), await theirs.vast()
            await one.run(insert_items("a"))
            await other.run(insert_items("b"))
            vast.drop_schemas(server, ours.place.schema)
            assert {table.stored_version for table in await one.status()} == {None}
            assert await other.read(all_ids) == ["b"]
