"""VAST DB misbehaves: lost answers, broken connections, conflicts, overload; yet each function is done once."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from tams_common.errors import Conflict, OutcomeUnknown, Unavailable
from tams_common.store import Query, Store, Tx
from tests.common.store.tables import CLIPS, HEADS, ITEMS, Clip, Head, Item, all_ids, insert_items
from tests.common.store.vast_opener import VastOpener
from vast_emulator.faults import Fault, Kind
from vast_emulator.server import Emulator

COMMIT = "PUT transaction"


def _insert(tx: Tx) -> str:
    tx.insert(ITEMS, [Item("new")])
    return "inserted"


def _update(tx: Tx) -> str:
    old = tx.get(ITEMS, ("old",))
    assert old is not None
    tx.update(ITEMS, [Item("old", old.version + 1)], expect=[old.version])
    return "updated"


def _delete(tx: Tx) -> str:
    assert tx.get(ITEMS, ("old",)) is not None
    tx.delete(ITEMS, [("old",)])
    return "deleted"


def _add_clip(tx: Tx) -> str:
    tx.touch(HEADS, ("f",))
    tx.insert(CLIPS, [Clip(flow="f", start=1)])
    return "added"


def _everything(tx: Tx) -> str:
    _insert(tx)
    _delete(tx)
    _add_clip(tx)
    tx.insert(ITEMS, [Item("old", 7)])
    return "done"


class UseCase(msgspec.Struct, frozen=True):
    """A transaction, what it returns, and the items and the number of clips that it leaves."""

    work: Callable[[Tx], str]
    result: str
    items: list[Item]
    clips: int = 0


USE_CASES = [
    UseCase(_insert, "inserted", [Item("new"), Item("old")]),
    UseCase(_update, "updated", [Item("old", 2)]),
    UseCase(_delete, "deleted", []),
    UseCase(_add_clip, "added", [Item("old")], 1),
]
EVERYTHING = UseCase(_everything, "done", [Item("new"), Item("old", 7)], 1)
STATEMENTS = ["POST transaction", "GET data", "POST rows", "PUT rows", "DELETE rows"]


@pytest.fixture
async def store(opener: VastOpener) -> Store:
    store = await opener.open()

    def fill(tx: Tx) -> None:
        tx.insert(ITEMS, [Item("old")])
        tx.insert(HEADS, [Head("f")])

    await store.run(fill)
    return store


async def _check(store: Store, case: UseCase) -> None:
    """Runs the use case, and looks whether it was done once."""
    assert await store.run(case.work) == case.result
    assert await store.read(lambda r: r.scan(ITEMS, Query()).rows) == case.items
    assert len(await store.read(lambda r: r.scan(CLIPS, Query()).rows)) == case.clips


@pytest.mark.parametrize("case", USE_CASES, ids=lambda case: case.result)
class TestUseCases:
    async def test_a_lost_answer_of_the_commit_is_found_out(
        self, emulator: Emulator, store: Store, case: UseCase
    ) -> None:
        emulator.faults.add(Fault(Kind.LOSE_ANSWER, COMMIT))
        await _check(store, case)

    async def test_a_commit_that_did_not_get_through_is_rerun(
        self, emulator: Emulator, store: Store, case: UseCase
    ) -> None:
        emulator.faults.add(Fault(Kind.DROP, COMMIT, times=2))
        await _check(store, case)


class TestStatements:
    @pytest.mark.parametrize("kind", [Kind.LOSE_ANSWER, Kind.DROP])
    @pytest.mark.parametrize("command", [*STATEMENTS, "DELETE transaction"])
    async def test_a_broken_connection_before_the_commit_costs_a_rerun(
        self, emulator: Emulator, store: Store, command: str, kind: Kind
    ) -> None:
        emulator.faults.add(Fault(kind, command))
        await _check(store, EVERYTHING)

    @pytest.mark.parametrize("command", [*STATEMENTS, COMMIT])
    async def test_an_overloaded_server_is_asked_again(self, emulator: Emulator, store: Store, command: str) -> None:
        emulator.faults.add(Fault(Kind.SLOW_DOWN, command, times=3))
        await _check(store, EVERYTHING)

    @pytest.mark.parametrize("command", ["PUT rows", "DELETE rows", COMMIT])
    async def test_who_loses_to_another_transaction_is_rerun(
        self, emulator: Emulator, store: Store, command: str
    ) -> None:
        emulator.faults.add(Fault(Kind.CONFLICT, command, times=3))
        await _check(store, EVERYTHING)


class TestOutcomes:
    async def test_all_that_share_a_lost_commit_get_their_results(self, emulator: Emulator, store: Store) -> None:
        emulator.faults.add(Fault(Kind.LOSE_ANSWER, COMMIT, times=2))
        ids = [f"n{number:02}" for number in range(20)]
        await asyncio.gather(*(store.run(insert_items(id)) for id in ids))
        assert await store.read(all_ids) == [*ids, "old"]

    async def test_an_answer_that_cannot_be_found_out_is_said_to_be_unknown(
        self, emulator: Emulator, opener: VastOpener, store: Store
    ) -> None:
        hasty = await opener.vast(patience=0.2)
        emulator.faults.add(Fault(Kind.LOSE_ANSWER, COMMIT))
        emulator.faults.add(Fault(Kind.DROP, "GET transaction", times=1_000_000))
        with pytest.raises(OutcomeUnknown):
            await hasty.run(_insert)
        emulator.faults.clear()
        assert await store.read(all_ids) == ["new", "old"]
        await hasty.run(insert_items("newer"))

    async def test_a_server_that_cannot_serve_is_our_error_for_all(self, emulator: Emulator, store: Store) -> None:
        emulator.faults.add(Fault(Kind.UNAVAILABLE, "POST transaction", times=1_000_000))
        work = [store.run(insert_items(str(n))) for n in range(5)]
        outcomes = await asyncio.gather(*work, store.read(all_ids), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {Unavailable}

    async def test_conflicts_without_end_come_out(self, emulator: Emulator, store: Store) -> None:
        emulator.faults.add(Fault(Kind.CONFLICT, "PUT rows", times=1_000_000))
        with pytest.raises(Conflict):
            await store.run(_update)

    @pytest.mark.parametrize("kind", [Kind.CUT, Kind.DROP, Kind.LOSE_ANSWER, Kind.SLOW_DOWN])
    async def test_a_read_is_asked_again(self, emulator: Emulator, store: Store, kind: Kind) -> None:
        emulator.faults.add(Fault(kind, "GET data"))
        assert await store.read(all_ids) == ["old"]

    async def test_a_query_that_fails_in_its_stream_is_our_error(self, emulator: Emulator, store: Store) -> None:
        emulator.faults.add(Fault(Kind.FAIL_STREAM, "GET data"))
        with pytest.raises(Unavailable):
            await store.read(all_ids)
        assert await store.read(all_ids) == ["old"]
