"""Words for tests that talk to an emulator through the unmodified SDK."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pyarrow as pa
import vastdb
from vastdb.config import BackoffConfig, QueryConfig
from vastdb.session import Session
from vastdb.table import Table
from vastdb.transaction import Transaction

from vast_emulator.server import Emulator

BUCKET = "vastdb"
LOOKUP = QueryConfig(num_splits=1, num_sub_splits=1)
COLUMNS = pa.schema([("id", pa.string()), ("n", pa.int64())])


@contextmanager
def connected(emulator: Emulator, *, secret: str = "test", page: int = 10_000) -> Iterator[Session]:
    """A session that never waits for ever and hardly between attempts."""
    session = vastdb.connect(
        endpoint=emulator.url,
        access="test",
        secret=secret,
        timeout=(5, 30),
        max_entities_per_page=page,
        backoff_config=BackoffConfig(max_tries=3, max_value=0.01),
    )
    with session.api:
        yield session


def create(session: Session, columns: pa.Schema = COLUMNS, *, rows: list[dict[str, object]] | None = None) -> None:
    """The table `s/t` with some rows, committed."""
    with session.transaction() as tx:
        table = tx.bucket(BUCKET).create_schema("s").create_table("t", columns)
        if rows:
            table.insert(pa.Table.from_pylist(rows, schema=columns))


def table(tx: Transaction) -> Table:
    """The table `s/t` as a transaction sees it."""
    return tx.bucket(BUCKET).schema("s").table("t")


def numbers(session: Session) -> list[int]:
    """Column `n` of every committed row, in order."""
    with session.transaction() as tx:
        return sorted(table(tx).select(["n"]).read_all()["n"].to_pylist())


def control(emulator: Emulator, asked: str, *, body: object = None) -> tuple[int, bytes]:
    """Status and body of a control request such as `GET stats`."""
    method, path = asked.split()
    connection = HTTPConnection(urlsplit(emulator.url).netloc, timeout=30)
    try:
        connection.request(method, f"/__control__/{path}", body=None if body is None else json.dumps(body))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
