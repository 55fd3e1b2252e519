"""The contract of projections: they can be dropped and made anew beside a running store, and change no answer."""

from functools import partial

import pytest

from tams_common.errors import NotFound
from tams_common.store import Query, Store, Tx, eq
from tests.common.store.opener import Contract
from tests.common.store.tables import CLIPS, HEADS, Clip, Head


async def enabled(store: Store) -> dict[tuple[str, str], bool]:
    """Which projections are there, by table and name; both ways of asking say the same."""
    found = {(each.table, each.name): each.enabled for each in await store.projections()}
    told = {(table.name, name): on for table in await store.status() for name, on in table.projections.items()}
    assert found == told
    return found


def _replace(tx: Tx, start: int) -> None:
    """Every second clip from `start` on belongs to o1; the earlier ones go."""
    tx.touch(HEADS, ("f",))
    tx.delete(CLIPS, [CLIPS.key_of(clip) for clip in tx.scan(CLIPS, Query()).rows])
    tx.insert(CLIPS, [Clip(flow="f", start=start + n, object_id=f"o{1 + n % 2}") for n in range(8)])


class ProjectionContract(Contract):
    async def test_every_declared_projection_is_there_after_migration(self, store: Store) -> None:
        assert await enabled(store) == {("items", "colours"): True, ("clips", "objects"): True}
        columns = {each.name: each.columns for each in await store.projections()}
        assert columns == {"colours": ("colour", "size"), "objects": ("object_id", "flow")}

    async def test_a_projection_is_switched_off_and_on_any_number_of_times(self, store: Store) -> None:
        for on in (False, False, True, True, False):
            await store.set_projection("clips", "objects", enabled=on)
            assert await enabled(store) == {("items", "colours"): True, ("clips", "objects"): on}
        assert [each.rows for each in await store.projections() if not each.enabled] == [0]

    async def test_migration_leaves_a_projection_off(self, store: Store) -> None:
        await store.set_projection("items", "colours", enabled=False)
        await store.migrate()
        assert not (await enabled(store))["items", "colours"]
        assert {table.drift for table in await store.status()} == {()}

    async def test_scans_mean_the_same_without_the_projection(self, store: Store) -> None:
        await store.run(lambda tx: tx.insert(HEADS, [Head("f")]))
        query = Query((eq("object_id", "o1"),), order=("object_id", "flow"), limit=3)
        for on in (True, False, True):
            await store.set_projection("clips", "objects", enabled=on)
            start = 10 * on
            await store.run(partial(_replace, start=start))
            page = await store.read(lambda r: r.scan(CLIPS, query))
            assert [clip.start for clip in page.rows] == [start, start + 2, start + 4]
            assert page.more

    @pytest.mark.parametrize(
        ("table", "name", "words"),
        [("nothing", "objects", "no table 'nothing'.*items"), ("clips", "colours", "clips.*'colours'.*objects")],
    )
    async def test_what_is_not_declared_cannot_be_switched(
        self, store: Store, table: str, name: str, words: str
    ) -> None:
        for on in (False, True):
            with pytest.raises(NotFound, match=words):
                await store.set_projection(table, name, enabled=on)
