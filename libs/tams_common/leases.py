"""Of all replicas one does what a lease stands for, until it falls silent (architecture 4)."""

import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from tams_common.clock import SECOND, Clock
from tams_common.store import Reader, Table, Tx

_PATIENCE: Final = 3
"""Times its length after which a lease that nobody has renewed is nobody's, whatever end it has."""


class LeaseRow(msgspec.Struct, frozen=True):
    """Who may do what `name` stands for, until when (ns)."""

    name: str
    owner: str
    until: int
    version: int


LEASES: Final = Table("leases", LeaseRow, key=("name",))


class LeaseLost(Exception):
    """Another owner has taken over: what this one was about to write is not to be written."""


class Watch:
    """Notices leases of `seconds` that nobody renews any more, by this process's own time.

    Ends of leases are written by clocks. One that was ahead and has been set back, or died, would keep what it had for
    as long as it was off.
    """

    def __init__(self, seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._patience = _PATIENCE * seconds
        self._monotonic = monotonic
        self._seen: dict[str, tuple[int, float]] = {}

    def abandoned(self, versions: Mapping[str, int]) -> Mapping[str, int]:
        """Those of the leases, by the versions of their rows, that have not changed for too long; others than these
        are forgotten."""
        now, seen = self._monotonic(), self._seen
        self._seen = {
            name: seen[name] if name in seen and seen[name][0] == version else (version, now)
            for name, version in versions.items()
        }
        return {name: version for name, (version, since) in self._seen.items() if now - since > self._patience}


class Lease:
    """The claim of `owner` to `name`, which lapses `seconds` after it was last taken or renewed."""

    def __init__(
        self,
        name: str,
        owner: str,
        *,
        clock: Clock,
        seconds: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.owner = owner
        self.clock = clock
        self.seconds = seconds
        self._watch = Watch(seconds, monotonic=monotonic)

    def may_take(self, tx: Reader) -> bool:
        """Whether no other owner has it."""
        return self._is_free(tx.get(LEASES, (self.name,)))

    def take(self, tx: Tx) -> int:
        """Takes or renews the lease; returns its end (ns), 0 while another owner has it."""
        row = tx.get(LEASES, (self.name,))
        return self._write(tx, row, until=self._end()) if self._is_free(row) else 0

    def renew(self, tx: Tx) -> int:
        """Renews the lease with what else `tx` writes; returns its end (ns). Raises `LeaseLost`."""
        row = tx.get(LEASES, (self.name,))
        if row is None or row.owner != self.owner:
            raise LeaseLost
        return self._write(tx, row, until=self._end())

    def release(self, tx: Tx) -> None:
        """Leaves it to others at once."""
        row = tx.get(LEASES, (self.name,))
        if row is not None and row.owner == self.owner:
            self._write(tx, row, until=0)

    def is_fresh(self, until: int) -> bool:
        """Whether more than half of a lease that ends at `until` (ns) is left, and no more than all of it."""
        left = until - self.clock()
        return self.seconds * SECOND / 2 <= left <= self.seconds * SECOND

    def _is_free(self, row: LeaseRow | None) -> bool:
        if row is None or row.owner == self.owner or row.until <= self.clock():
            return True
        return self.name in self._watch.abandoned({self.name: row.version})

    def _end(self) -> int:
        return self.clock() + int(self.seconds * SECOND)

    def _write(self, tx: Tx, row: LeaseRow | None, *, until: int) -> int:
        if row is None:
            tx.insert(LEASES, [LeaseRow(self.name, self.owner, until, 1)])
        else:
            tx.update(LEASES, [LeaseRow(self.name, self.owner, until, row.version + 1)], expect=[row.version])
        return until
