"""The contract as a model: whatever is written, what is read then and later is what a plain dict would show."""

import asyncio
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import TypeAlias

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tams_common.errors import Conflict
from tams_common.store import IsNull, Query, Reader, Scalar, Store, Tx, ge, lt
from tests.common.store.opener import Contract
from tests.common.store.tables import HEADS, ITEMS, Head, Item

Model: TypeAlias = dict[str, Item]


class Step(msgspec.Struct, frozen=True):
    """One transaction: its writes, a query to look at them, and whether it fails in the end."""

    writes: list[tuple[str, Item]]
    query: Query
    fails: bool


class Turn(msgspec.Struct, frozen=True):
    """What one transaction found and left; `number` is its place among those that were kept."""

    number: int
    before: Model
    after: Model


IDS = "abcdefgh"
ROWS = st.builds(
    Item,
    st.sampled_from(IDS),
    st.integers(0, 3),
    st.sampled_from([None, "", "blue", "red"]),
    st.none() | st.integers(-2, 2),
    st.booleans(),
    st.none() | st.booleans(),
)
WRITES = st.lists(st.tuples(st.sampled_from(["insert", "update", "delete", "touch"]), ROWS), max_size=12)
QUERIES = st.builds(
    Query,
    where=st.sampled_from([(), (ge("size", 0),), (lt("version", 2), IsNull("colour", negate=True)), (IsNull("size"),)]),
    order=st.sampled_from([(), ("size",), ("colour", "size"), ("ready", "id"), ("version", "sealed", "colour")]),
    limit=st.none() | st.integers(0, 5),
    reverse=st.booleans(),
)
STEPS = st.builds(Step, WRITES, QUERIES, st.booleans())
CHECKS: dict[tuple[object, ...], Callable[[Item], bool]] = {
    (): lambda _: True,
    (ge("size", 0),): lambda row: row.size is not None and row.size >= 0,
    (lt("version", 2), IsNull("colour", negate=True)): lambda row: row.version < 2 and row.colour is not None,
    (IsNull("size"),): lambda row: row.size is None,
}


def _clear(tx: Tx) -> None:
    tx.delete(HEADS, [("turns",)])
    tx.delete(ITEMS, [(id,) for id in IDS])


def _apply(tx: Tx, model: Model, *, write: str, row: Item) -> None:
    """One write on both, left out where it would be a Conflict that may show as late as at the flush."""
    exists = row.id in model
    if write == "delete":
        tx.delete(ITEMS, [(row.id,)])
        model.pop(row.id, None)
    elif write == "insert" and not exists:
        tx.insert(ITEMS, [row])
        model[row.id] = row
    elif write == "update" and exists:
        tx.update(ITEMS, [row], expect=[model[row.id].version])
        model[row.id] = row
    elif write == "touch" and exists:
        tx.touch(ITEMS, (row.id,))
    elif write == "touch":
        with pytest.raises(Conflict):
            tx.touch(ITEMS, (row.id,))


def _work(tx: Tx, step: Step) -> Turn:
    head = tx.get(HEADS, ("turns",)) or Head("turns", 0)
    turn = Head("turns", head.version + 1)
    tx.update(HEADS, [turn]) if head.version else tx.insert(HEADS, [turn])
    before = {row.id: row for row in tx.scan(ITEMS, Query()).rows}
    model = dict(before)
    for write, row in step.writes:
        _apply(tx, model, write=write, row=row)
    _compare(tx, model, query=step.query)
    if step.fails:
        raise LookupError
    return Turn(turn.version, before, model)


def _compare(reader: Reader, model: Model, *, query: Query) -> None:
    """Every page of `query`, and every row by key."""
    total = query.order + (() if "id" in query.order else ("id",))

    def place(row: Item) -> list[tuple[bool, Scalar]]:
        cells = [getattr(row, column) for column in total]
        return [(cell is None, 0 if cell is None else cell) for cell in cells]

    expected = sorted(filter(CHECKS[query.where], model.values()), key=place, reverse=query.reverse)
    seen: list[Item] = []
    after: tuple[Scalar, ...] | None = None
    while True:
        page = reader.scan(ITEMS, Query(query.where, query.order, after, query.limit, query.reverse))
        seen += page.rows
        assert seen == expected[: len(seen)]
        assert page.more == (len(seen) < len(expected))
        if not page.more or not page.rows:
            break
        after = tuple(getattr(seen[-1], column) for column in total)
    keys = [(id,) for id in IDS]
    assert reader.get_many(ITEMS, keys) == {(id,): row for id, row in model.items()}
    assert [reader.get(ITEMS, key) for key in keys] == [model.get(id) for (id,) in keys]


class ModelContract(Contract):
    @pytest.mark.property
    @settings(
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors], deadline=None
    )
    @given(steps=st.lists(STEPS, min_size=1, max_size=4), together=st.booleans())
    async def test_transactions_read_like_a_dict(self, store: Store, steps: list[Step], *, together: bool) -> None:
        await store.run(_clear)
        runs = [partial(store.run, partial(_work, step=step)) for step in steps]
        if together:
            outcomes = await asyncio.gather(*(run() for run in runs), return_exceptions=True)
        else:
            outcomes = [(await asyncio.gather(run(), return_exceptions=True))[0] for run in runs]
        assert [isinstance(outcome, LookupError) for outcome in outcomes] == [step.fails for step in steps]
        model: Model = {}
        turns = [outcome for outcome in outcomes if isinstance(outcome, Turn)]
        for number, turn in enumerate(sorted(turns, key=attrgetter("number")), 1):
            assert (turn.number, turn.before) == (number, model)
            model = turn.after
        for step in steps:
            await store.read(partial(_compare, model=model, query=step.query), bounded=True)
