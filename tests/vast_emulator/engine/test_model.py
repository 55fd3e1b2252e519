"""Random transactions on a plain and on a sorted table, compared with a dictionary for each snapshot."""

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.vast_emulator.engine.world import TABLE, Cell, compare, database, delete, insert, refused, rows, update
from vast_emulator.engine import Engine, EngineOptions
from vast_emulator.engine.port import ProjectionColumn, Selection
from vast_emulator.engine.predicate import AllOf, AnyOf, Condition, IsNull, Ref

Row = tuple[Cell, ...]
OPTIONS = EngineOptions(group_rows=16)
KEYS = st.one_of(st.none(), st.integers(0, 9))
TEXTS = st.one_of(st.none(), st.sampled_from(["", "a", "ab", "b", "ü"]))
NEW = st.lists(st.tuples(KEYS, TEXTS, st.integers(0, 3)), min_size=1, max_size=12)


@dataclass
class Open:
    """A transaction as the model knows it."""

    txid: int
    seen: dict[int, Row]
    start: int
    written: dict[int, Row | None] = field(default_factory=dict)


class Snapshots(RuleBasedStateMachine):
    """Rules are statements; a change of a row that another transaction has or had is expected to be refused."""

    @initialize(is_sorted=st.booleans())
    def start(self, is_sorted: bool) -> None:
        self.folder = TemporaryDirectory()
        self.engine = database(Path(self.folder.name) / "db", OPTIONS, sort_key=(0, 1) if is_sorted else ())
        self.committed: dict[int, Row] = {}
        self.commits: dict[int, int] = {}
        self.number = 0
        self.open: list[Open] = []

    @rule()
    def begin(self) -> None:
        if len(self.open) < 3:
            self.open.append(Open(self.engine.begin(), dict(self.committed), self.number))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), new=NEW)
    def insert(self, data: st.DataObject, new: list[Row]) -> None:
        tx = data.draw(st.sampled_from(self.open))
        columns = {"k": [row[0] for row in new], "s": [row[1] for row in new], "n": [row[2] for row in new]}
        added = dict(zip(insert(self.engine, columns, txid=tx.txid), new, strict=True))
        tx.seen |= added
        tx.written |= added

    @precondition(lambda self: self.open)
    @rule(data=st.data(), n=st.integers(4, 9), is_deletion=st.booleans())
    def change(self, data: st.DataObject, *, n: int, is_deletion: bool) -> None:
        tx = data.draw(st.sampled_from(self.open))
        if not tx.seen:
            return
        chosen = sorted(data.draw(st.sets(st.sampled_from(sorted(tx.seen)), min_size=1, max_size=6)))
        others = {row for other in self.open if other is not tx for row in other.written}
        late = {row for row in chosen if self.commits.get(row, 0) > tx.start and row not in tx.written}
        if others.intersection(chosen) or late:
            with refused(409):
                self._change(tx, chosen, n=n, is_deletion=is_deletion)
            return
        self._change(tx, chosen, n=n, is_deletion=is_deletion)
        for row in chosen:
            if is_deletion:
                del tx.seen[row]
                tx.written[row] = None
            else:
                tx.seen[row] = tx.written[row] = (*tx.seen[row][:2], n)

    def _change(self, tx: Open, chosen: list[int], *, n: int, is_deletion: bool) -> None:
        if is_deletion:
            delete(self.engine, chosen, txid=tx.txid)
        else:
            update(self.engine, chosen, txid=tx.txid, n=[n] * len(chosen))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        tx = data.draw(st.sampled_from(self.open))
        self.open.remove(tx)
        self.engine.commit(tx.txid)
        self.number += bool(tx.written)
        for row, value in tx.written.items():
            self.commits[row] = self.number
            self.committed.pop(row, None)
            if value is not None:
                self.committed[row] = value

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def rollback(self, data: st.DataObject) -> None:
        tx = data.draw(st.sampled_from(self.open))
        self.open.remove(tx)
        self.engine.rollback(tx.txid)

    @rule()
    def checkpoint(self) -> None:
        self.engine.checkpoint()

    @rule()
    def project(self) -> None:
        columns = [ProjectionColumn("n", True), ProjectionColumn("s", False)]
        with self.engine.using(0) as tx:
            if not tx.table(TABLE).projections:
                tx.create_projection(TABLE, "p", columns=columns)
                self.number += 1

    @precondition(lambda self: not self.open)
    @rule()
    def restart(self) -> None:
        self.engine.close()
        self.engine = Engine(Path(self.folder.name) / "db", OPTIONS)

    @rule(key=st.integers(0, 9), low=st.integers(0, 9), text=st.sampled_from(["", "a", "ab"]), page=st.integers(1, 9))
    def read(self, key: int, low: int, *, text: str, page: int) -> None:
        conditions: list[tuple[Condition, object]] = [
            (compare("k", equal=key), lambda row: row[0] == key),
            (
                AllOf((compare("k", equal=key), compare("s", greater_equal=text))),
                lambda row: row[0] == key and row[1] is not None and row[1] >= text,
            ),
            (
                AnyOf((compare("k", less=low), IsNull(Ref("k")))),
                lambda row: row[0] is None or row[0] < low,
            ),
            (compare("n", not_equal=low), lambda row: row[2] != low),
        ]
        for tx in (Open(0, self.committed, 0), *self.open):
            for condition, holds in conditions:
                assert callable(holds)
                expected = {id: row for id, row in tx.seen.items() if holds(row)}
                assert rows(self.engine, condition, txid=tx.txid, page=page) == expected

    @invariant()
    def sees_its_snapshot(self) -> None:
        for tx in (Open(0, self.committed, 0), *self.open):
            assert rows(self.engine, txid=tx.txid) == tx.seen
            with self.engine.using(tx.txid) as statements:
                table = statements.table(TABLE)
                assert table.rows == len(tx.seen)
                for projection in table.projections:
                    selection = Selection(("n",), projection=projection.name)
                    (page,) = statements.select(TABLE, selection)
                    assert page.rows.column(0).to_pylist() == sorted(row[2] for row in tx.seen.values())  # type: ignore[type-var]

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.close()
            self.folder.cleanup()


Snapshots.TestCase.settings = settings(max_examples=settings().max_examples // 4, stateful_step_count=30)
TestSnapshots = pytest.mark.property(Snapshots.TestCase)
