"""A lease: of all replicas one does what its name stands for, until it falls silent."""

import msgspec

from tams_common.clock import SECOND, Clock
from tams_common.outbox import LEASES, LeaseRow
from tams_common.store import Tx


class LeaseLost(Exception):
    """Another owner has taken over: what this one was about to write is not to be written."""


class Lease(msgspec.Struct, frozen=True):
    """The claim of `owner` to `name`, which lapses `seconds` after it was last taken."""

    name: str
    owner: str
    clock: Clock
    seconds: float = 10.0

    def take(self, tx: Tx) -> bool:
        """Takes or renews the lease; False while another owner has it."""
        row = tx.get(LEASES, (self.name,))
        if row is not None and row.owner != self.owner and row.until > self.clock():
            return False
        self._write(tx, row, until=self.clock() + int(self.seconds * SECOND))
        return True

    def renew(self, tx: Tx) -> None:
        """Renews the lease with what else `tx` writes; raises `LeaseLost`."""
        row = tx.get(LEASES, (self.name,))
        if row is None or row.owner != self.owner:
            raise LeaseLost
        self._write(tx, row, until=self.clock() + int(self.seconds * SECOND))

    def release(self, tx: Tx) -> None:
        """Leaves it to others at once."""
        row = tx.get(LEASES, (self.name,))
        if row is not None and row.owner == self.owner:
            self._write(tx, row, until=0)

    def _write(self, tx: Tx, row: LeaseRow | None, *, until: int) -> None:
        if row is None:
            tx.insert(LEASES, [LeaseRow(self.name, self.owner, until, 1)])
        else:
            tx.update(LEASES, [LeaseRow(self.name, self.owner, until, row.version + 1)], expect=[row.version])
