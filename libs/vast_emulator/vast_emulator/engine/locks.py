"""First writer wins: who holds what, and what was committed since the oldest open transaction began."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from vast_emulator.engine.errors import conflict

Thing: TypeAlias = tuple[str | int, ...]
"""What is locked as a whole: a name, a schema, a table's rows or its definition."""


@dataclass(slots=True)
class Held:
    """What one transaction holds. `start` is the number of the last commit that it sees."""

    owner: int
    start: int
    things: dict[Thing, bool] = field(default_factory=dict)
    rows: dict[int, set[int]] = field(default_factory=dict)


@dataclass(slots=True)
class _Holders:
    owners: set[int] = field(default_factory=set)
    alone: bool = False


class Locks:
    """The locks of all open transactions; the engine's state lock guards every call."""

    def __init__(self) -> None:
        self._things: dict[Thing, _Holders] = {}
        self._rows: dict[int, dict[int, int]] = {}
        self._written: dict[Thing, int] = {}
        self._shared: dict[Thing, int] = {}
        self._written_rows: dict[int, dict[int, int]] = {}
        self._history: deque[tuple[int, Held]] = deque()

    def take(self, held: Held, things: Sequence[Thing], *, alone: bool) -> None:
        """Alone or together with others that share; 409, and nothing taken, if another transaction holds one of them
        otherwise, or did after `held` began."""
        for thing in things:
            self._check(held, thing, alone=alone)
        for thing in things:
            holders = self._things.setdefault(thing, _Holders())
            holders.owners.add(held.owner)
            holders.alone = holders.alone or alone
            held.things[thing] = held.things.get(thing, False) or alone

    def take_rows(self, held: Held, table: int, *, row_ids: Iterable[int]) -> None:
        """All of the rows or, with 409, none."""
        owners, written = self._rows.get(table, {}), self._written_rows.get(table, {})
        mine = held.rows.get(table, set())
        wanted = [row for row in row_ids if row not in mine]
        for row in wanted:
            if row in owners:
                raise conflict(f"row {row} is locked by another transaction")
            if written and written.get(row, 0) > held.start:
                raise conflict(f"row {row} was changed after this transaction began")
        if wanted:
            self._rows.setdefault(table, {}).update(dict.fromkeys(wanted, held.owner))
            held.rows.setdefault(table, set()).update(wanted)

    def release(self, held: Held) -> None:
        """Gives everything back: a rollback."""
        for thing in held.things:
            holders = self._things[thing]
            holders.owners.discard(held.owner)
            holders.alone = False
            if not holders.owners:
                del self._things[thing]
        for table, rows in held.rows.items():
            owners = self._rows[table]
            for row in rows:
                del owners[row]
            if not owners:
                del self._rows[table]

    def committed(self, held: Held, number: int, *, oldest: int | None) -> None:
        """Gives everything back and remembers it as written by commit `number`, as long as an open transaction began
        before; `oldest` is the start of the oldest one, None without any."""
        self.release(held)
        if oldest is not None and oldest < number:
            for thing, alone in held.things.items():
                (self._written if alone else self._shared)[thing] = number
            for table, rows in held.rows.items():
                self._written_rows.setdefault(table, {}).update(dict.fromkeys(rows, number))
            self._history.append((number, held))
        self.forget(oldest)

    def forget(self, oldest: int | None) -> None:
        """Drops what only transactions could conflict with that have ended."""
        while self._history and (oldest is None or self._history[0][0] <= oldest):
            number, held = self._history.popleft()
            for thing, alone in held.things.items():
                known = self._written if alone else self._shared
                if known.get(thing) == number:
                    del known[thing]
            for table, rows in held.rows.items():
                written = self._written_rows.get(table, {})
                for row in rows:
                    if written.get(row) == number:
                        del written[row]
                if not written:
                    self._written_rows.pop(table, None)

    def _check(self, held: Held, thing: Thing, *, alone: bool) -> None:
        holders = self._things.get(thing)
        if holders is not None and holders.owners - {held.owner} and (alone or holders.alone):
            raise conflict(f"{thing} is locked by another transaction")
        last = self._written.get(thing, 0)
        if alone:
            last = max(last, self._shared.get(thing, 0))
        if last > held.start:
            raise conflict(f"{thing} was changed after this transaction began")
