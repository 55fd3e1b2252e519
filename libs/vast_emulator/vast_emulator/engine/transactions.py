"""Open transactions: what each sees and did, and when it was last used."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from vast_emulator.engine.catalog import Catalog
from vast_emulator.engine.errors import missing
from vast_emulator.engine.locks import Held
from vast_emulator.engine.operations import Operation


@dataclass(slots=True)
class Transaction:
    """One open transaction: the catalog it began with, its own view of it, and the operations between the two.

    `turn` lets one statement run at a time; `busy` counts those that run or wait for it.
    """

    id: int
    base: Catalog
    view: Catalog
    held: Held
    last_used: float
    operations: list[Operation] = field(default_factory=list)
    turn: threading.Lock = field(default_factory=threading.Lock)
    busy: int = 0
    is_over: bool = False


class Transactions:
    """All open transactions, the longest unused first; the engine's state lock guards every call."""

    def __init__(self, clock: Callable[[], float], idle_timeout: float, *, first_id: int) -> None:
        self._clock = clock
        self._idle_timeout = idle_timeout
        self._ids = count(first_id)
        self._open: OrderedDict[int, Transaction] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, catalog: Catalog, start: int) -> Transaction:
        """A new one that sees a catalog as of commit number `start`."""
        id = next(self._ids)
        transaction = Transaction(id, catalog, catalog, Held(id, start), self._clock())
        self._open[id] = transaction
        return transaction

    def use(self, id: int) -> Transaction:
        """The transaction, its idle clock started again; 404 if there is none."""
        found = self._open.get(id)
        if found is None:
            raise missing("Transaction", id)
        found.last_used = self._clock()
        self._open.move_to_end(id)
        return found

    def end(self, transaction: Transaction) -> None:
        """Takes it out of the open ones."""
        transaction.is_over = True
        del self._open[transaction.id]

    def expired(self) -> Iterator[Transaction]:
        """Those that nobody used for the idle timeout."""
        latest = self._clock() - self._idle_timeout
        for transaction in list(self._open.values()):
            if transaction.last_used > latest:
                break
            if not transaction.busy:
                yield transaction

    def oldest_start(self) -> int | None:
        """The lowest commit number that an open transaction began with."""
        return min((each.held.start for each in self._open.values()), default=None)
