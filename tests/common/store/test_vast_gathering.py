"""Functions that share a commit read together: few requests, and each function means what it means alone."""

import asyncio
from contextlib import suppress
from functools import partial

import pytest

from tams_common.errors import InvalidInput
from tams_common.store import Query, Tx, eq, ge
from tams_common.store.vast import VastStore
from tests.common.store.tables import CLIPS, HEADS, ITEMS, Clip, Head, Item, all_ids, insert_items
from tests.common.store.vast_opener import VastOpener
from vast_emulator.server import Emulator

MANY = 20
LONG = 12


@pytest.fixture
async def store(opener: VastOpener) -> VastStore:
    """Items in a chain, each with the number of the next one as its size, and flows with three clips."""
    store = await opener.vast()

    def fill(tx: Tx) -> None:
        tx.insert(ITEMS, [Item(f"i{number}", size=number + 1) for number in range(MANY + LONG)])
        tx.insert(HEADS, [Head(f"f{number}") for number in range(MANY)])
        tx.insert(CLIPS, [Clip(flow=f"f{number}", start=start) for number in range(MANY) for start in range(3)])

    await store.run(fill)
    return store


def _follow(tx: Tx, number: int, *, steps: int) -> Item:
    """Reads one item after the other, each by what the one before says; then writes the last."""
    item = tx.get(ITEMS, (f"i{number}",))
    for _ in range(steps):
        assert item is not None
        item = tx.get(ITEMS, (f"i{item.size}",))
    assert item is not None
    tx.update(ITEMS, [Item(item.id, item.version + 1, size=item.size)])
    return item


def _append(tx: Tx, number: int) -> list[int]:
    """Adds a clip behind the last ones of a flow; returns those."""
    flow = f"f{number}"
    head = tx.get(HEADS, (flow,))
    assert head is not None
    clips = tx.scan(CLIPS, Query((eq("flow", flow), ge("start", 1)), limit=5)).rows
    tx.update(HEADS, [Head(flow, head.version + 1)])
    tx.insert(CLIPS, [Clip(flow=flow, start=clips[-1].start + 1)])
    return [clip.start for clip in clips]


def _reads(emulator: Emulator) -> int:
    return int(emulator.counters.snapshot()["requests"]["GET data"])


async def test_each_step_of_all_functions_is_one_request(emulator: Emulator, store: VastStore) -> None:
    emulator.counters.reset()
    items = await asyncio.gather(*(store.run(partial(_follow, number=number, steps=2)) for number in range(MANY)))
    assert [item.id for item in items] == [f"i{number + 2}" for number in range(MANY)]
    requests = emulator.counters.snapshot()["requests"]
    # The rows to be written have been read, so that no look precedes the update.
    assert (requests["GET data"], requests["PUT rows"], requests["PUT transaction"]) == (3, 1, 1)


async def test_pages_are_read_before_functions_run(emulator: Emulator, store: VastStore) -> None:
    emulator.counters.reset()
    found = await asyncio.gather(*(store.run(partial(_append, number=number)) for number in range(MANY)))
    assert found == [[1, 2]] * MANY
    # A request for the heads, one for the window of each flow, and one for the keys of the new clips.
    assert _reads(emulator) == 1 + MANY + 1


async def test_writers_of_one_flow_see_each_others_clips(emulator: Emulator, store: VastStore) -> None:
    emulator.counters.reset()
    found = await asyncio.gather(*(store.run(partial(_append, number=7)) for _ in range(4)))
    assert found == [[1, 2], [1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4, 5]]
    assert _reads(emulator) == 3
    head = await store.read(lambda reader: reader.get(HEADS, ("f7",)))
    assert head == Head("f7", 5)


async def test_who_asks_for_long_is_answered_all_the_same(store: VastStore) -> None:
    items = await asyncio.gather(*(store.run(partial(_follow, number=number, steps=LONG)) for number in range(3)))
    assert [item.id for item in items] == [f"i{number + LONG}" for number in range(3)]


async def test_a_question_that_cannot_be_asked_is_an_error_of_its_function_only(store: VastStore) -> None:
    work = [
        store.run(partial(_follow, number=1, steps=1)),
        store.run(lambda tx: tx.scan(ITEMS, Query((eq("size", 1 << 70),))).rows),
        store.run(partial(_follow, number=5, steps=1)),
    ]
    first, impossible, second = await asyncio.gather(*work, return_exceptions=True)
    assert isinstance(impossible, InvalidInput)
    assert [item.id for item in (first, second) if isinstance(item, Item)] == ["i2", "i6"]


async def test_a_function_that_lets_nothing_stop_it_gets_its_rows(store: VastStore) -> None:
    def stubborn(tx: Tx) -> list[Item]:
        found: list[Item] = []
        for id in ("i1", "missing", "i2"):
            with suppress(BaseException):
                found += [item for item in [tx.get(ITEMS, (id,))] if item is not None]
        tx.insert(ITEMS, [Item(f"after {len(found)}")])
        return found

    found, _ = await asyncio.gather(store.run(stubborn), store.run(insert_items("beside")))
    assert [item.id for item in found] == ["i1", "i2"]
    ids = await store.read(all_ids)
    assert "after 2" in ids
    assert "beside" in ids
