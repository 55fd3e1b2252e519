"""The file of one store and what its connections have in common."""

import sqlite3
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tams_common.errors import StartRefused, TamsError
from tams_common.store.layout import Layouts
from tams_common.store.sqlite.errors import Busy, translated
from tams_common.store.sqlite.sql import TableSql

BUSY_SECONDS: Final = 10.0
"""How long a connection waits for a lock that another process holds."""

_RETRY_SECONDS: Final = 0.01
_OLDEST_SQLITE: Final = (3, 37, 0)
_STATEMENTS: Final = 512
_PAGE_BYTES: Final = 8192
_WRITER_CACHE_KIB: Final = 16 * 1024
"""Random keys of a bulk touch hundreds of pages: in SQLite's own 2 MiB they are read again for every commit."""
_WAL_KEPT_BYTES: Final = 64 * 1024 * 1024


class Database:
    """Where the tables lie and how they are declared; it holds no connection itself."""

    def __init__(self, path: Path, name: str, *, layouts: Layouts, durable: bool) -> None:
        self.path = path
        self.name = name
        self.durable = durable
        self.layouts = layouts
        self.texts: dict[str, TableSql[Any]] = {table: TableSql(layout) for table, layout in layouts.named().items()}

    def connect_writer(self) -> sqlite3.Connection:
        """A connection that writes; creates the file when there is none."""
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise StartRefused(f"SQLite {sqlite3.sqlite_version} is too old: STRICT tables came with 3.37")
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                return self._connect(
                    "rwc",
                    BUSY_SECONDS,
                    f"PRAGMA page_size = {_PAGE_BYTES}",
                    "PRAGMA journal_mode = WAL",
                    f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}",
                    f"PRAGMA journal_size_limit = {_WAL_KEPT_BYTES}",
                    f"PRAGMA synchronous = {'FULL' if self.durable else 'OFF'}",
                )
            except Busy:
                # Two processes that both turn a new file to WAL get "locked" at once, whatever the busy timeout.
                if time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_SECONDS)

    def connect_reader(self, busy_seconds: float) -> sqlite3.Connection:
        """A connection that only reads, and waits `busy_seconds` for locks."""
        return self._connect("ro", busy_seconds)

    def translated(self, error: sqlite3.Error) -> TamsError:
        """The error to raise in place of `error`."""
        return translated(error, self.name)

    def _connect(self, mode: str, busy_seconds: float, *settings: str) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(
                f"file:{quote(str(self.path))}?mode={mode}",
                uri=True,
                timeout=busy_seconds,
                isolation_level=None,
                cached_statements=_STATEMENTS,
                check_same_thread=False,
            )
            for setting in settings:
                connection.execute(setting)
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            raise self.translated(error) from error
        return connection
