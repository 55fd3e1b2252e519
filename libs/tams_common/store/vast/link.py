"""One connection to VAST DB: transactions and requests on it, with patience where a repeat is safe."""

import logging
import random
import time
from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
import pyarrow as pa
from vastdb import _internal as wire
from vastdb.config import BackoffConfig, QueryConfig, SessionConfig
from vastdb.errors import NotFound
from vastdb.session import Session
from vastdb.table import TableInTransaction
from vastdb.transaction import Transaction

from tams_common.store.vast.failures import Broken, Overloaded, translated
from tams_common.store.vast.forms import Filled
from tams_common.store.vast.place import Place
from tams_common.store.vast.predicates import impossible
from tams_common.store.vast.stored import Stored, rows_of
from tams_common.store.where import Condition

T = TypeVar("T")

LOOKUP: Final = QueryConfig(num_splits=1, num_sub_splits=1)
"""A few rows: one request finds them."""
SCAN: Final = QueryConfig(num_splits=1, num_sub_splits=4)
"""Any number of rows: four sub-splits are read at once, in pages of 128 Ki rows each."""

_TIMEOUTS: Final = (5, 30)
_PATIENCE: Final = 20.0
"""Seconds for which an overloaded server is asked again."""
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 1.0
_END: Final = wire.TABULAR_INVALID_ROW_ID
_BATCH_BYTES: Final = 4 * 1024 * 1024
_QUIET: Final = ("vastdb.errors", "vastdb.transaction")


class Ask(msgspec.Struct, frozen=True):
    """A query: distinct `columns` (ROW_ID may be among them) of rows that meet `where`.

    The server may stop after `most` rows, whichever these are.
    """

    stored: Stored
    columns: tuple[str, ...]
    where: tuple[Condition, ...] = ()
    config: QueryConfig = LOOKUP
    most: int | None = None


class Answer(msgspec.Struct, frozen=True):
    """Rows in no order; `whole` tells whether these are all."""

    rows: list[tuple[Any, ...]]
    whole: bool


class Link:
    """Connections to VAST DB: as many as there are threads that ask at once, each kept for the next one.

    It bypasses `Transaction.__enter__`, which looks for the ADBC driver, and `Table.select`, which opens a connection
    and starts threads for each query: the same requests go out on the connections that are kept.
    """

    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        self._name = name
        self._first: Session | None = None
        self._idle: list[Session] = []

    def begin(self) -> Transaction:
        """Opens a transaction. When the answer is lost, one that is never used expires at the server."""

        def begin(session: Session) -> Transaction:
            answer = session.api.begin_transaction()
            return _on(session, int(answer.headers["tabular-txid"]))

        return self.ask(begin, again=True)

    def commit(self, transaction: Transaction) -> None:
        """Commits; after `Unavailable` the outcome is unknown, after `Collided` nothing happened."""
        self.ask(lambda session: session.api.commit_transaction(transaction.txid))

    def roll_back(self, transaction: Transaction) -> None:
        """Ends the transaction without effect."""
        self.ask(lambda session: session.api.rollback_transaction(transaction.txid), again=True)

    def alive(self, transaction: Transaction) -> bool:
        """Whether the transaction is still open at the server."""

        def look(session: Session) -> bool:
            try:
                session.api.get_transaction(transaction.txid)
            except NotFound:
                return False
            return True

        return self.ask(look, again=True)

    def query(self, transaction: Transaction, ask: Ask) -> Answer:
        """The rows that are asked for."""
        if impossible(ask.where):
            return Answer([], whole=True)
        filled = ask.stored.forms.fill(ask.columns, ask.where)
        chunks: list[pa.Table] = []
        reached = dict.fromkeys(range(ask.config.num_sub_splits), 0)
        left = ask.most or ask.config.limit_rows_per_sub_split
        while left > 0 and any(row_id != _END for row_id in reached.values()):
            page = _Page(transaction, ask, filled, reached, left)
            found, reached = self.ask(page.read, again=True)
            chunks += found
            if ask.most is not None:
                left -= sum(chunk.num_rows for chunk in found)
        return Answer(rows_of(chunks), whole=all(row_id == _END for row_id in reached.values()))

    def insert(self, transaction: Transaction, stored: Stored, *, batch: pa.RecordBatch) -> None:
        """Adds rows; a request holds at most 5 MiB, so many or wide rows take several."""
        if batch.nbytes > _BATCH_BYTES and batch.num_rows > 1:
            half = batch.num_rows // 2
            self.insert(transaction, stored, batch=batch.slice(0, half))
            self.insert(transaction, stored, batch=batch.slice(half))
            return
        self.ask(lambda session: _table(session, transaction, stored=stored).insert(batch))

    def update(self, transaction: Transaction, stored: Stored, *, batch: pa.RecordBatch) -> None:
        """Writes new cells into rows, by row id."""
        self.ask(lambda session: _table(session, transaction, stored=stored).update(batch))

    def delete(self, transaction: Transaction, stored: Stored, *, batch: pa.RecordBatch) -> None:
        """Removes rows, by row id."""
        self.ask(lambda session: _table(session, transaction, stored=stored).delete(batch))

    def close(self) -> None:
        """Closes the connections."""
        self._first = None
        while self._idle:
            self._idle.pop().api.__exit__()

    def ask(self, request: Callable[[Session], T], *, again: bool = False) -> T:
        """Makes one request: when the server is overloaded until it answers, after a broken connection once `again`."""
        try:
            session = self._idle.pop()
        except IndexError:
            session = self._connect()
        try:
            return self._patiently(partial(request, session), again=again)
        finally:
            self._idle.append(session)

    def _patiently(self, request: Callable[[], T], *, again: bool) -> T:
        patience = time.monotonic() + _PATIENCE
        pause = _FIRST_PAUSE
        while True:
            try:
                with translated(self._name):
                    return request()
            except Overloaded:
                if time.monotonic() > patience:
                    raise
                time.sleep(random.uniform(0, pause))  # noqa: S311 -- only spreads the repeats
                pause = min(2 * pause, _LONGEST_PAUSE)
            except Broken:
                if not again:
                    raise
                again = False

    def _connect(self) -> Session:
        """A further connection; only the first one asks the server for its version."""
        if self._first is None:
            self._first = self._patiently(self._greet, again=True)
            _go_straight(self._first)
            return self._first
        session = copy(self._first)
        session.api = self._first.api.with_endpoint(self._place.endpoint)
        _go_straight(session)
        return session

    def _greet(self) -> Session:
        place = self._place
        return Session(
            access=place.access_key,
            secret=place.secret_key,
            endpoint=place.endpoint,
            timeout=_TIMEOUTS,
            backoff_config=BackoffConfig(max_tries=1),
            config=SessionConfig(data_endpoints=[place.endpoint]),
        )


def _go_straight(session: Session) -> None:
    """Without TLS the environment has no say: else each request searches all of it for proxies, a sixth of its cost."""
    for endpoint in session.api.endpoints:
        if endpoint.scheme == "http":
            session.api._session_get_or_create(endpoint).trust_env = False


def _on(session: Session, txid: int) -> Transaction:
    """The transaction `txid` on another connection than that which began it."""
    transaction = session.transaction()
    transaction.txid = txid
    return transaction


def _table(session: Session, transaction: Transaction, *, stored: Stored) -> TableInTransaction:
    transaction = _on(session, transaction.txid)
    return TableInTransaction(stored.metadata, transaction, transaction._session_context)


class _Page(msgspec.Struct, frozen=True):
    """At most `limit` rows of each sub-split, from where it has `reached`."""

    transaction: Transaction
    ask: Ask
    filled: Filled
    reached: dict[int, int]
    limit: int

    def read(self, session: Session) -> tuple[list[pa.Table], dict[int, int]]:
        """The rows, and where the sub-splits go on."""
        ref, config, filled = self.ask.stored.metadata.ref, self.ask.config, self.filled
        response = session.api.query_data(
            ref.bucket,
            ref.schema,
            ref.table,
            filled.body,
            split=(0, config.num_splits, config.num_row_groups_per_sub_split),
            num_sub_splits=config.num_sub_splits,
            txid=self.transaction.txid,
            limit_rows=self.limit,
            sub_split_start_row_ids=self.reached.items(),
        )
        chunks: list[pa.Table] = []
        following = dict(self.reached)
        with response:
            # Read piece by piece, the answer to a lookup takes longer to read than to send.
            whole = pa.BufferReader(response.raw.read())
            for sub_split, next_row_id, chunk in wire.parse_query_data_response(
                conn=whole, schema=filled.schema, parser=filled.parser
            ):
                following[sub_split] = next_row_id
                chunks.append(chunk)
        return chunks, following


def silence() -> None:
    """An ordinary conflict is no news: the SDK logs each one, with a traceback."""
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
