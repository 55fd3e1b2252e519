"""What the engine's statements share: the committed catalog, locks, open transactions, id counters, counters."""

import threading
from dataclasses import dataclass, field

from vast_emulator.engine.catalog import Catalog
from vast_emulator.engine.chunks import ChunkStore
from vast_emulator.engine.locks import Locks
from vast_emulator.engine.scan import ScanCounters
from vast_emulator.engine.table import Changes
from vast_emulator.engine.transactions import Transactions


@dataclass(slots=True)
class State:
    """Guarded by `lock`, which is held for short times only and never while rows are read or written to disk.

    `number` counts commits; `in_flight` are commits that are in the redo log but not visible yet.
    """

    store: ChunkStore
    transactions: Transactions
    catalog: Catalog = field(default_factory=Catalog)
    changes: Changes = field(init=False)
    lock: threading.Condition = field(default_factory=threading.Condition)
    locks: Locks = field(default_factory=Locks)
    scans: ScanCounters = field(default_factory=ScanCounters)
    number: int = 0
    in_flight: int = 0
    is_rotating: bool = False
    next_object: int = 1
    next_rows: dict[int, int] = field(default_factory=dict)
    commits: int = 0
    conflicts: int = 0
    expired: int = 0
    checkpoints: int = 0

    def __post_init__(self) -> None:
        self.changes = Changes(self.store)

    def new_object(self) -> int:
        """An id for a schema or table, never given twice."""
        with self.lock:
            id = self.next_object
            self.next_object += 1
            return id

    def new_rows(self, table: int, rows: int) -> int:
        """The first of so many row ids, never given twice, not even after a rollback."""
        with self.lock:
            first = self.next_rows.get(table, 0)
            self.next_rows[table] = first + rows
            return first

    def known_rows(self, table: int, past: int) -> None:
        """Row ids below `past` are taken."""
        with self.lock:
            self.next_rows[table] = max(self.next_rows.get(table, 0), past)
