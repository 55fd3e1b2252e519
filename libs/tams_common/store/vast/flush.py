"""Writes the changes of a shared commit: at most one insert, one update and one delete for each table."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from tams_common.errors import Conflict
from tams_common.store.buffer import AnyChanges
from tams_common.store.layout import Layouts
from tams_common.store.table import Key
from tams_common.store.vast import ledger
from tams_common.store.vast.lanes import Lanes
from tams_common.store.vast.session import Session
from tams_common.store.vast.stored import TOUCH


def flush(
    session: Session, layouts: Layouts, *, changes: Sequence[AnyChanges], lanes: Lanes, commit: ledger.Commit
) -> None:
    """Writes `changes`; `Conflict` for an insert of a key that exists and an update of one that does not.

    Claims and looks come first: whoever collides finds out before it has sent its rows.
    """
    session.begin()
    prepared = [_Change(session, layouts, changes=change) for change in changes]
    slots = {slot for change in prepared for slot in change.slots()}
    looks: list[Callable[[], None]] = [partial(ledger.claim, session, slots)] if slots else []
    looks += [change.look for change in prepared]
    looks.append(partial(ledger.record, session, commit))
    lanes.run(looks)
    lanes.run([change.write for change in prepared])


class _Change:
    """What is to be done to one table."""

    def __init__(self, session: Session, layouts: Layouts, *, changes: AnyChanges) -> None:
        self._session = session
        self._layout = layouts.of(changes.table)
        self._stored = session.stored(changes.table)
        self._changes = changes
        key = self._layout.table.key
        self._sorting = tuple(name for name in self._stored.sorting if name not in key)
        self._inserted = self._layout.keys_of(changes.inserts)
        self._updated = self._layout.keys_of(changes.updates)
        self._touched = self._layout.keys_of(changes.touches)
        self._row_ids: dict[Key, Any] = {}
        self._moved: dict[Key, Any] = {}

    def slots(self) -> Iterator[int]:
        """The claims that inserts need; a guard does without."""
        if self._changes.table.guarded_by is None:
            yield from (ledger.slot_of(self._stored.name, key) for key in self._inserted)

    def look(self) -> None:
        """Finds the rows to change; `Conflict` for those that ought to be there, or ought not."""
        table, deleted = self._changes.table, set(self._changes.deletes)
        keys = dict.fromkeys((*self._inserted, *self._updated, *self._touched, *deleted))
        placed = self._placed()
        self._row_ids = self._session.row_ids(table, list(keys))
        for key in self._inserted:
            if key in self._row_ids and key not in deleted:
                raise Conflict(f"table {table.name}: a row {key} exists")
        for key in (*self._updated, *self._touched):
            if key not in self._row_ids:
                raise Conflict(f"table {table.name}: there is no row {key} any more")
        rows = zip(self._updated, self._changes.updates, strict=True)
        self._moved = {key: row for key, row in rows if key in placed and self._place(row) != placed[key]}

    def write(self) -> None:
        """Sends what is to be done; a row whose sorted columns change is removed and added anew."""
        link, transaction, stored = self._session.link, self._session.transaction, self._stored
        moved = self._moved
        gone = [self._row_ids[key] for key in (*self._changes.deletes, *moved) if key in self._row_ids]
        if gone:
            link.delete(transaction, stored, batch=stored.changes(gone, columns={}))
        rest = [
            (self._row_ids[key], row)
            for key, row in zip(self._updated, self._changes.updates, strict=True)
            if key not in moved
        ]
        self._rewrite(rest)
        added = [*self._changes.inserts, *moved.values()]
        if added:
            link.insert(transaction, stored, batch=stored.batch(added))

    def _placed(self) -> dict[Key, tuple[Any, ...]]:
        """The sorted columns of the rows to update, where these may change: VAST DB does not update them."""
        return self._session.find(self._changes.table, self._updated, columns=self._sorting) if self._sorting else {}

    def _place(self, row: msgspec.Struct) -> tuple[Any, ...]:
        return tuple(getattr(row, name) for name in self._sorting)

    def _rewrite(self, updates: Sequence[tuple[Any, msgspec.Struct]]) -> None:
        """Rewrites rows in place. A touched row gets a new value in a column that nobody reads, and keeps its cells."""
        link, stored = self._session.link, self._stored
        touches = zip((self._row_ids[key] for key in self._touched), self._changes.touches, strict=True)
        rows = [*updates, *touches]
        if not rows:
            return
        columns: dict[str, Sequence[Any]] = {}
        if updates:
            columns = {name: [getattr(row, name) for _, row in rows] for name in stored.updatable}
        if self._touched or not columns:
            columns[TOUCH] = [ledger.touch_value() for _ in rows]
        batch = stored.changes([row_id for row_id, _ in rows], columns=columns)
        link.update(self._session.transaction, stored, batch=batch)
