"""The bus's file: its tables, its connections, and what others see of SQLite's failures."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from tams_common.errors import StartRefused, Unavailable

SCHEMA_VERSION: Final = 1
SPAN: Final = 1 << 40
"""Places that belong to one topic: place = topic number * SPAN + offset. So a topic is one range of rowids,
appended, read and pruned in the file's own order."""

_TABLES: Final = (
    """CREATE TABLE topics (
        number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, retention_hours INTEGER, next INTEGER NOT NULL
    )""",
    """CREATE TABLE records (
        place INTEGER PRIMARY KEY, at INTEGER NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL,
        headers BLOB NOT NULL, value BLOB NOT NULL
    )""",
    """CREATE TABLE groups (
        name TEXT NOT NULL, topic TEXT NOT NULL, owner TEXT, until INTEGER NOT NULL, committed INTEGER NOT NULL,
        PRIMARY KEY (name, topic)
    ) WITHOUT ROWID""",
)
_sync = getattr(os, "fdatasync", os.fsync)
_WAL_LIMIT: Final = 64 * 1024 * 1024
_RETRY: Final = 0.01

Mode = Literal["DEFERRED", "IMMEDIATE"]


class Connection:
    """One connection, used by one thread at a time. Others see at once what it commits; until `sync` has returned, a
    crash of the machine may forget it. Without `durable` it may do so ever.

    Every failure of the file is `Unavailable`. So is a file that was moved away: what is written where
    nobody will find it must not be acknowledged.
    """

    def __init__(self, path: Path, *, durable: bool, busy_seconds: float) -> None:
        self._path = path
        self._durable = durable
        self._is_torn = False
        with self._failures():
            self._db = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
            self._file = _identity(path)
            self._db.execute(f"PRAGMA synchronous = {'NORMAL' if durable else 'OFF'}")
            self._db.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")

    @contextmanager
    def transaction(self, mode: Mode) -> Iterator[sqlite3.Connection]:
        """A transaction around the block; raises `Unavailable`, also when the file is busy for longer than allowed."""
        with self._failures():
            if _identity(self._path) != self._file:
                raise Unavailable(f"the bus file {self._path} has been replaced")
            if self._is_torn:
                self._mend()
            self._db.execute(f"BEGIN {mode}")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def sync(self) -> None:
        """Forces everything that has been committed to the disk.

        It lies in the write-ahead log, or has been moved on to the file by SQLite, which syncs the log first and the
        file before it writes over the log (https://www.sqlite.org/pragma.html#pragma_synchronous, NORMAL).
        """
        if not self._durable:
            return
        with self._failures():
            self._is_torn = True
            log = os.open(f"{self._path}-wal", os.O_RDONLY)
            try:
                _sync(log)
            finally:
                os.close(log)
            self._is_torn = False

    def data_version(self) -> int:
        """Another number whenever another connection has changed the file."""
        with self._failures():
            return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Closes the connection."""
        self._db.close()

    def _mend(self) -> None:
        """The log could not be synced and may have a hole on the disk, behind which a crash would find nothing: before
        more is written, what is in it goes to the file."""
        busy, *_ = self._db.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        if busy:
            raise Unavailable(f"the bus file {self._path} is busy")
        self._is_torn = False

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise Unavailable(f"the bus file {self._path}: {error}") from error


def prepare(path: Path, *, busy_seconds: float) -> None:
    """Creates the file and its tables if need be. Raises `Unavailable`, and `StartRefused` for a newer schema."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
    except (sqlite3.Error, OSError) as error:
        raise Unavailable(f"the bus file {path}: {error}") from error
    try:
        _enter_wal(db, time.monotonic() + busy_seconds)
        db.execute("BEGIN IMMEDIATE")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise StartRefused(f"the bus file {path} has schema {version}, this release knows {SCHEMA_VERSION}")
        if version == 0:
            for table in _TABLES:
                db.execute(table)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except sqlite3.Error as error:
        raise Unavailable(f"the bus file {path}: {error}") from error
    finally:
        db.close()


def _enter_wal(db: sqlite3.Connection, deadline: float) -> None:
    """Two processes that both turn a new file to WAL get "locked" at once, whatever the busy timeout."""
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY)
        else:
            return


def _identity(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino
