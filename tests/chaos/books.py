"""The books of a store on SQLite files: every event that was ever committed, in the order of the changes.

Triggers keep them, in the transaction that makes the change: they hold what was committed and nothing else, whatever
became of the process that did it and of the row that it staged.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from tests.chaos.ledger import Account

WRITERS: Final = ("catalog", "segments")
"""The services that have an outbox."""
_KEPT: Final = """
CREATE TABLE books (at INTEGER NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (at, id)) STRICT;
CREATE TRIGGER keep_books AFTER INSERT ON outbox BEGIN
    INSERT INTO books VALUES (new.at, new.id, new.value);
END;
"""


class Books:
    """The books of the store whose tables lie in `data`."""

    def __init__(self, data: Path) -> None:
        self._files = {name: data / f"{name}.sqlite" for name in WRITERS}

    def open(self) -> None:
        """Begins them; the tables are there, and nothing has been written yet."""
        for path in self._files.values():
            with closing(sqlite3.connect(path, timeout=30)) as database:
                database.executescript(_KEPT)

    def count(self) -> int:
        """How many events were committed."""
        return sum(count for name in WRITERS for (count,) in self._ask(name, "SELECT count(*) FROM books"))

    def account(self) -> Account:
        """All of them."""
        account = Account()
        for name in WRITERS:
            for event_id, value in self._ask(name, "SELECT id, value FROM books ORDER BY at, id"):
                account.take(event_id, value)
        return account

    def waiting(self, name: str) -> int:
        """How many events of the service `name` have not left its outbox."""
        [(count,)] = self._ask(name, "SELECT count(*) FROM outbox")
        return int(count)

    def relay_of(self, name: str) -> str:
        """Which relay holds the outbox of the service `name`, or held it last."""
        [(owner,)] = self._ask(name, "SELECT owner FROM leases WHERE name = 'relay'")
        return str(owner)

    def _ask(self, name: str, text: str) -> Iterator[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self._files[name]}?mode=ro", uri=True, timeout=30)) as database:
            yield from database.execute(text)
