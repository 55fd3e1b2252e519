"""Another client holds a row: who wants it waits aside, everybody else is served, and nobody is forgotten."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from tams_common.store import Store, Tx
from tams_common.store.layout import Layouts
from tams_common.store.vast.database import Database
from tams_common.store.vast.ledger import touch_value
from tams_common.store.vast.session import Session, end
from tams_common.store.vast.stored import TOUCH
from tests.common.store.tables import HEADS, TABLES, Head
from tests.common.store.vast_opener import VastOpener

FREE = [f"free{number}" for number in range(7)]


def advance(flow: str) -> Callable[[Tx], int]:
    """Raises the version of a head, and tells it."""

    def work(tx: Tx) -> int:
        head = tx.get(HEADS, (flow,))
        assert head is not None
        tx.update(HEADS, [Head(flow, head.version + 1)], expect=[head.version])
        return head.version + 1

    return work


@pytest.fixture
async def store(opener: VastOpener) -> Store:
    store = await opener.open()
    await store.run(lambda tx: tx.insert(HEADS, [Head(flow) for flow in ("hot", *FREE)]))
    return store


@pytest.fixture
async def holder(store: Store, opener: VastOpener) -> AsyncIterator[Session]:
    """Another client, with an open transaction that has written the head of `hot`."""
    session = Database(opener.place, "tables", layouts=Layouts(TABLES)).session()
    await asyncio.to_thread(_hold, session)
    yield session
    end(session)
    session.link.close()


def _hold(session: Session) -> None:
    stored = session.stored(HEADS)
    rows = list(session.row_ids(HEADS, [("hot",)]).values())
    batch = stored.changes(rows, columns={TOUCH: [touch_value()]})
    session.link.update(session.transaction, stored, batch=batch)


async def test_writers_of_other_rows_are_served_between_the_attempts(store: Store, holder: Session) -> None:
    """Those that shared the first commit, in their order, and those that come while the loser waits."""
    order: list[str] = []

    def start(flow: str) -> "asyncio.Task[int]":
        task = asyncio.create_task(store.run(advance(flow)))
        task.add_done_callback(lambda _: order.append(flow))
        return task

    hot, *together = [start(flow) for flow in ("hot", *FREE[:4])]
    assert await asyncio.gather(*together) == [2] * 4
    for flow in FREE[4:]:
        assert await start(flow) == 2
    assert order == FREE
    assert not hot.done()
    await asyncio.to_thread(end, holder)
    assert await hot == 2


async def test_the_losers_of_one_row_all_get_it_at_last(store: Store, holder: Session) -> None:
    losers = [asyncio.create_task(store.run(advance("hot"))) for _ in range(5)]
    assert await store.run(advance(FREE[0])) == 2
    assert not any(task.done() for task in losers)
    await asyncio.to_thread(end, holder)
    assert sorted(await asyncio.gather(*losers)) == [2, 3, 4, 5, 6]


async def test_a_store_that_is_closed_finishes_what_has_lost(store: Store, holder: Session) -> None:
    hot = asyncio.create_task(store.run(advance("hot")))
    assert await store.run(advance(FREE[0])) == 2
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    assert not hot.done()
    await asyncio.to_thread(end, holder)
    await closing
    assert await hot == 2
