"""Transactions as functions over any backend: writes are buffered, and several functions share one flush (ADR 0002)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from tams_common.errors import Conflict
from tams_common.store.buffer import AnyChanges, TableBuffer
from tams_common.store.layout import Layout, Layouts
from tams_common.store.overlay import Overlay
from tams_common.store.port import Tx
from tams_common.store.snapshot import Backend, Snapshot
from tams_common.store.table import AnyTable, Key, R, Table

T = TypeVar("T")


class Transaction(Snapshot):
    """A `Tx` whose writes lie in `own`, on top of those of the functions before it in `shared`."""

    def __init__(self, layouts: Layouts, shared: Overlay) -> None:
        self.own = Overlay(layouts, shared)
        super().__init__(layouts, self.own)
        self._shared = shared

    def insert(self, table: Table[R], rows: Iterable[R]) -> None:
        """Adds rows with new keys; `Conflict` now for a key written in this commit, at the flush for one stored."""
        layout = self._layouts.of(table)
        added = list(rows)
        layout.check(added)
        keys = layout.keys_of(added)
        if len(set(keys)) != len(keys):
            raise Conflict(f"table {table.name}: one insert holds a key twice")
        for key, shown in self._shown(table, keys):
            if shown is not None:
                raise Conflict(f"table {table.name}: a row {key} exists")
        self._buffer(layout).insert(keys, added)

    def update(self, table: Table[R], rows: Iterable[R], *, expect: Sequence[int] | None = None) -> None:
        """Replaces rows by key; `Conflict` for a row of another version than expected or, at the flush, for none."""
        layout = self._layouts.of(table)
        changed = list(rows)
        layout.check(changed)
        keys = layout.keys_of(changed)
        if expect is not None:
            self._expect(layout, keys, expect=expect)
        for key, shown in self._shown(table, keys):
            if shown is None:
                raise Conflict(f"table {table.name}: there is no row {key} any more")
        self._buffer(layout).rows.update(zip(keys, changed, strict=True))

    def delete(self, table: AnyTable, keys: Iterable[Key]) -> None:
        """Removes rows by key; keys that do not exist are ignored."""
        layout = self._layouts.of(table)
        removed = list(keys)
        layout.check_keys(removed)
        buffer = self._buffer(layout)
        for key in removed:
            buffer.delete(key)

    def touch(self, table: AnyTable, key: Key) -> None:
        """Marks a row as written unchanged; `Conflict` when it does not exist."""
        row = self.get(table, key)
        if row is None:
            raise Conflict(f"table {table.name}: there is no row {key}")
        self._buffer(self._layouts.of(table)).touched[key] = row

    def check_guards(self) -> None:
        """Raises RuntimeError for an insert without a write of the row that guards it: a mistake in the program."""
        for buffer in self.own.buffers.values():
            guard = buffer.table.guarded_by
            if guard is None or not buffer.inserted:
                continue
            guarding = self.own.buffers.get(guard.table)
            rows = (buffer.rows[key] for key in buffer.inserted)
            for key in {tuple(getattr(row, column) for column in guard.columns) for row in rows}:
                if guarding is None or not guarding.writes(key):
                    raise RuntimeError(f"an insert into {buffer.table.name} must also write row {key} of {guard.table}")

    def _buffer(self, layout: Layout[R]) -> TableBuffer[R]:
        table = layout.table
        buffer = self.own.buffers.get(table.name)
        if buffer is None:
            buffer = self.own.buffers[table.name] = TableBuffer(table)
        return buffer

    def _shown(self, table: AnyTable, keys: Sequence[Key]) -> Iterator[tuple[Key, object]]:
        """Those of `keys` that this commit has written, with their row or None for a deleted one."""
        overlays = (self.own.buffers.get(table.name), self._shared.buffers.get(table.name))
        buffers = [buffer for buffer in overlays if buffer is not None]
        if buffers:
            for key in keys:
                buffer = next((buffer for buffer in buffers if key in buffer.rows), None)
                if buffer is not None:
                    yield key, buffer.rows[key]

    def _expect(self, layout: Layout[Any], keys: Sequence[Key], *, expect: Sequence[int]) -> None:
        layout.column("version")
        stored = self.get_many(layout.table, keys)
        for key, version in zip(keys, expect, strict=True):
            row = stored.get(key)
            if row is None or row.version != version:
                found = "gone" if row is None else f"at version {row.version}"
                raise Conflict(f"table {layout.table.name}: row {key} is {found}, not at version {version}")


class SharedCommit:
    """Functions that become durable together: each sees the writes before it, and one that raises leaves no trace."""

    def __init__(self, layouts: Layouts, backend: Backend) -> None:
        self._layouts = layouts
        self._overlay = Overlay(layouts, backend)

    def run(self, fn: Callable[[Tx], T]) -> T:
        """Runs `fn` and keeps its writes for the flush; what `fn` raises comes out, and nothing is kept."""
        tx = Transaction(self._layouts, self._overlay)
        result = fn(tx)
        tx.check_guards()
        for name, buffer in tx.own.buffers.items():
            earlier = self._overlay.buffers.get(name)
            if earlier is None:
                self._overlay.buffers[name] = buffer
            else:
                earlier.absorb(buffer)
        return result

    def changes(self) -> list[AnyChanges]:
        """What to flush: of each written table one list of deletes, of inserts, of updates and of touches."""
        changes = [buffer.changes() for buffer in self._overlay.buffers.values()]
        return [change for change in changes if not change.empty]
