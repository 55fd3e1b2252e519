"""The engine: begins, commits and ends transactions, keeps them on disk, and runs checkpoints."""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from vast_emulator.engine.catalog import Catalog, apply, with_table
from vast_emulator.engine.checkpoint import Saved
from vast_emulator.engine.chunks import ChunkStore
from vast_emulator.engine.errors import EngineError, missing, out_of_space
from vast_emulator.engine.journal import Journal
from vast_emulator.engine.operations import (
    CreateBucket,
    CreateSchema,
    CreateTable,
    Insert,
    Operation,
    PlaceOperation,
    encode,
)
from vast_emulator.engine.port import ROW_GROUP, ROW_ID, EngineStats, Statements
from vast_emulator.engine.state import State
from vast_emulator.engine.statements import TransactionStatements
from vast_emulator.engine.transactions import Transaction, Transactions

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How an engine behaves: idle time after which a transaction expires (s), bytes of row groups held in memory,
    length of the redo log (bytes) that starts a checkpoint, rows of a full row group, and the clock (monotonic
    seconds) that idle time is measured with."""

    idle_timeout: float = 300.0
    memory_budget: int = 256 << 20
    checkpoint_bytes: int = 64 << 20
    group_rows: int = ROW_GROUP
    clock: Callable[[], float] = time.monotonic


class Engine:
    """Implements `port.EnginePort` in a folder; without one, in a private temporary folder that close removes."""

    def __init__(self, directory: Path | None = None, options: EngineOptions | None = None) -> None:
        options = options or EngineOptions()
        self._options = options
        self._scratch = tempfile.TemporaryDirectory(prefix="vast-emulator-") if directory is None else None
        self._journal = None if directory is None else Journal(directory)
        folder = Path(self._scratch.name) if self._scratch else directory
        assert folder is not None  # noqa: S101 - one of the two is there
        store = ChunkStore(folder / "chunks", budget=options.memory_budget, group_rows=options.group_rows)
        # Ids of earlier runs must not name transactions of this one.
        first_id = int(time.time()) << 20
        self._state = State(store, Transactions(options.clock, options.idle_timeout, first_id=first_id))
        self._saved = Catalog()
        self._saving = threading.Lock()
        self._saver: threading.Thread | None = None
        if self._journal is not None:
            self._journal.recover(store, self._replay)

    def begin(self) -> int:
        """See `port.EnginePort`."""
        return self._begin().id

    def commit(self, txid: int) -> None:
        """See `port.EnginePort`."""
        with self._turn(txid) as transaction:
            self._commit(transaction)

    def rollback(self, txid: int) -> None:
        """See `port.EnginePort`."""
        with self._turn(txid) as transaction:
            self._end(transaction)

    def touch(self, txid: int) -> None:
        """See `port.EnginePort`."""
        with self._state.lock:
            self._expire()
            self._state.transactions.use(txid)

    @contextmanager
    def using(self, txid: int) -> Iterator[Statements]:
        """See `port.EnginePort`."""
        if txid:
            with self._turn(txid) as transaction:
                yield TransactionStatements(self._state, transaction)
            return
        transaction = self._begin(is_busy=True)
        try:
            yield TransactionStatements(self._state, transaction)
            self._commit(transaction)
        finally:
            if not transaction.is_over:
                self._end(transaction)

    def has_bucket(self, bucket: str) -> bool:
        """See `port.EnginePort`."""
        return bucket in self._state.catalog.buckets

    def create_bucket(self, bucket: str) -> None:
        """See `port.EnginePort`."""
        if not self.has_bucket(bucket):
            transaction = self._begin(is_busy=True)
            transaction.operations.append(CreateBucket(bucket))
            self._commit(transaction)

    def buckets(self) -> list[str]:
        """See `port.EnginePort`."""
        return sorted(self._state.catalog.buckets)

    def stats(self) -> EngineStats:
        """See `port.EnginePort`."""
        state = self._state
        return EngineStats(
            groups_read=state.scans.groups_read,
            groups_pruned=state.scans.groups_pruned,
            group_loads=state.store.loads,
            group_spills=state.store.spills,
            resident_bytes=state.store.resident_bytes,
            commits=state.commits,
            conflicts=state.conflicts,
            expired=state.expired,
            open_transactions=len(state.transactions),
            checkpoints=state.checkpoints,
        )

    def checkpoint(self) -> None:
        """See `port.EnginePort`."""
        if self._journal is None:
            return
        with self._saving:
            try:
                self._checkpoint(self._journal)
            except OSError as error:
                raise out_of_space(str(error)) from error

    def close(self) -> None:
        """See `port.EnginePort`."""
        if self._saver is not None:
            self._saver.join()
        if self._journal is not None:
            self._try_checkpoint()
            self._journal.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    def _checkpoint(self, journal: Journal) -> None:
        state = self._state
        with state.lock:
            state.is_rotating = True
            state.lock.wait_for(lambda: not state.in_flight)
            try:
                first_log = journal.rotate()
            finally:
                state.is_rotating = False
                state.lock.notify_all()
            saved = Saved(state.catalog, first_log, state.next_object, dict(state.next_rows))
        journal.save(saved, state.store)
        # Chunks that the checkpoint names must keep their files: it holds them.
        self._saved = saved.catalog
        state.checkpoints += 1

    def _try_checkpoint(self) -> None:
        """Without one the redo logs tell everything, they are only longer."""
        try:
            self.checkpoint()
        except EngineError as error:
            _log.warning("no checkpoint was written", reason=error.message)

    def _begin(self, *, is_busy: bool = False) -> Transaction:
        with self._state.lock:
            self._expire()
            transaction = self._state.transactions.begin(self._state.catalog, self._state.number)
            transaction.busy += is_busy
            return transaction

    @contextmanager
    def _turn(self, txid: int) -> Iterator[Transaction]:
        """The transaction, for one statement at a time; it cannot expire meanwhile."""
        with self._state.lock:
            self._expire()
            transaction = self._state.transactions.use(txid)
            transaction.busy += 1
        try:
            with transaction.turn:
                if transaction.is_over:
                    raise missing("Transaction", txid)
                yield transaction
        finally:
            with self._state.lock:
                transaction.busy -= 1
                if not transaction.is_over:
                    self._state.transactions.use(txid)

    def _commit(self, transaction: Transaction) -> None:
        if not transaction.operations:
            self._end(transaction)
            return
        record = encode(transaction.operations) if self._journal else b""
        state = self._state
        try:
            self._make_durable(record)
        except EngineError:
            self._end(transaction)
            raise
        with state.lock:
            try:
                state.catalog = self._merged(transaction)
                state.number += 1
                state.commits += 1
                state.transactions.end(transaction)
                state.locks.committed(transaction.held, state.number, oldest=state.transactions.oldest_start())
            finally:
                state.in_flight -= 1
                state.lock.notify_all()
        self._checkpoint_if_long()

    def _make_durable(self, record: bytes) -> None:
        """Into the log and onto the disk; on success the commit counts as in flight until it is visible."""
        state = self._state
        with state.lock:
            state.lock.wait_for(lambda: not state.is_rotating)
            log = self._journal.log if self._journal else None
            mark = log.append(record) if log else None
            state.in_flight += 1
        try:
            if log and mark:
                log.sync(mark)
        except EngineError:
            with state.lock:
                state.in_flight -= 1
                state.lock.notify_all()
            raise

    def _merged(self, transaction: Transaction) -> Catalog:
        """What is committed now with the transaction's changes: its own version of a table that nobody else changed,
        else its operations applied again to the newest version."""
        base, current = transaction.base, self._state.catalog
        mine = {
            table.id: table
            for table in transaction.view.tables.values()
            if base.tables.get(table.id) is not table and base.tables.get(table.id) is current.tables.get(table.id)
        }
        catalog = current
        for operation in transaction.operations:
            if isinstance(operation, PlaceOperation) or operation.table not in mine:
                catalog = apply(catalog, operation, changes=self._state.changes)
        for id, table in mine.items():
            if id in catalog.tables:
                catalog = with_table(catalog, table)
        return catalog

    def _end(self, transaction: Transaction) -> None:
        """Rolls back."""
        with self._state.lock:
            self._state.transactions.end(transaction)
            self._state.locks.release(transaction.held)
            self._state.locks.forget(self._state.transactions.oldest_start())

    def _expire(self) -> None:
        for transaction in self._state.transactions.expired():
            self._end(transaction)
            self._state.expired += 1

    def _replay(self, saved: Saved, transactions: Iterator[list[Operation]]) -> None:
        state = self._state
        self._saved = state.catalog = saved.catalog
        state.next_object, state.next_rows = saved.next_object, dict(saved.next_rows)
        for operations in transactions:
            for operation in operations:
                state.catalog = apply(state.catalog, operation, changes=state.changes)
                self._recount(operation)

    def _recount(self, operation: Operation) -> None:
        match operation:
            case Insert(table=table, rows=rows):
                self._state.known_rows(table, int(rows.column(ROW_ID)[-1].as_py()) + 1)
            case CreateSchema(id=id) | CreateTable(table=id):
                self._state.next_object = max(self._state.next_object, id + 1)
            case _:
                pass

    def _checkpoint_if_long(self) -> None:
        with self._state.lock:
            is_running = self._saver is not None and self._saver.is_alive()
            if self._journal is None or is_running or self._journal.log.size < self._options.checkpoint_bytes:
                return
            self._saver = threading.Thread(target=self._try_checkpoint, name="vast-emulator-checkpoint", daemon=True)
            self._saver.start()
