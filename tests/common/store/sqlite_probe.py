"""Looks behind a SQLite store: its connections, its statements, its locks."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from tams_common.store.sqlite import SqliteStore


def _writer(store: SqliteStore) -> sqlite3.Connection:
    return store._connected().writer._session.connection


def trace_writer(store: SqliteStore) -> list[str]:
    """The statements that the writing connection runs from now on."""
    texts: list[str] = []
    _writer(store).set_trace_callback(texts.append)
    return texts


def trace_near_reader(store: SqliteStore) -> list[str]:
    """The statements that bounded reads run from now on."""
    texts: list[str] = []
    store._connected().readers._near.connection.set_trace_callback(texts.append)
    return texts


def count_near_steps(store: SqliteStore) -> list[None]:
    """An item for each hundred steps that SQLite takes for bounded reads from now on."""
    steps: list[None] = []
    store._connected().readers._near.connection.set_progress_handler(lambda: steps.append(None), 100)
    return steps


def set_busy_timeout(store: SqliteStore, *, milliseconds: int) -> None:
    """How long the writing connection waits for locks."""
    _writer(store).execute(f"PRAGMA busy_timeout = {milliseconds}")


def synchronous(store: SqliteStore) -> int:
    """The writing connection's setting: 0 is OFF, 2 is FULL."""
    [(level,)] = _writer(store).execute("PRAGMA synchronous").fetchall()
    return int(level)


@contextmanager
def locked(store: SqliteStore) -> Iterator[None]:
    """Another connection holds the write lock of the store's file."""
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
