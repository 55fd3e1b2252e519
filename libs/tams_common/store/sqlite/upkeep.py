"""Writing a table with tokens: only the columns that change, so that SQLite leaves the other indexes alone."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from tams_common.errors import Conflict
from tams_common.store.buffer import AnyChanges
from tams_common.store.layout import AnyLayout
from tams_common.store.sqlite.sql import TableSql
from tams_common.store.sqlite.tokens import TokenIndex
from tams_common.store.table import Key

Change: TypeAlias = tuple[Any, Any]
"""A row before and after, None where there is none."""
Run: TypeAlias = Callable[[str, Sequence[tuple[Any, ...]]], int]
"""Runs a statement for each of the values; how many rows it wrote."""


class Upkeep:
    """Writes rows and tokens of one table by `run`."""

    def __init__(self, layout: AnyLayout, texts: TableSql[Any], *, tokens: TokenIndex, run: Run) -> None:
        self._layout = layout
        self._texts = texts
        self._tokens = tokens
        self._run = run

    def flush(self, changes: AnyChanges, stored: Mapping[Key, Any]) -> None:
        """Writes `changes`; `stored` holds the rows that they delete or update.

        `Conflict` for an insert of a key that exists and an update of one that does not.
        """
        gone: list[Change] = [(stored[key], None) for key in changes.deletes if key in stored]
        new: list[Change] = [(None, row) for row in changes.inserts]
        keys = self._layout.keys_of(changes.updates)
        if not all(key in stored for key in keys):
            raise Conflict(f"table {changes.table.name}: a row to update is gone")
        altered: list[Change] = [(stored[key], row) for key, row in zip(keys, changes.updates, strict=True)]
        self._run(self._texts.delete, changes.deletes)
        self._run(self._texts.insert, [msgspec.structs.astuple(row) for _, row in new])
        self._update(altered)
        self._keep_tokens([*gone, *new, *altered])

    def _update(self, altered: Sequence[Change]) -> None:
        by_columns: dict[tuple[str, ...], list[Any]] = defaultdict(list)
        for before, after in altered:
            names = tuple(name for name in self._layout.names if getattr(before, name) != getattr(after, name))
            by_columns[names].append(after)
        for names, rows in by_columns.items():
            if names:
                text, values = self._texts.update_of(names)
                self._run(text, list(map(values, rows)))

    def _keep_tokens(self, changes: Sequence[Change]) -> None:
        removed: set[tuple[Any, ...]] = set()
        added: set[tuple[Any, ...]] = set()
        for before, after in changes:
            old = self._tokens.entries(before) if before is not None else set()
            new = self._tokens.entries(after) if after is not None else set()
            removed |= old - new
            added |= new - old
        self._run(self._tokens.delete, list(removed))
        self._run(self._tokens.insert, list(added))
