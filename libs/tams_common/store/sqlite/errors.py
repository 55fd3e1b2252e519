"""What SQLite says, in the house's words."""

import sqlite3
from typing import Final

from tams_common.errors import Conflict, TamsError, Unavailable

_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_NO_DATABASE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_DUPLICATE: Final = frozenset({"SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE"})
_PRIMARY_CODE: Final = 0xFF


class Busy(Unavailable):
    """Another connection holds a lock for longer than this one waits."""


class Damaged(Unavailable):
    """The file is damaged, or was never a database."""


def translated(error: sqlite3.Error, name: str) -> TamsError:
    """The error to raise in place of `error`, which the database of store `name` raised."""
    if getattr(error, "sqlite_errorname", "") in _DUPLICATE:
        return Conflict(f"{name}: a row with this key exists ({error})")
    if _code(error) in _BUSY:
        return Busy(f"the tables of {name} are locked by another process")
    if _code(error) in _NO_DATABASE:
        return Damaged(f"the tables of {name} are damaged: {error}")
    return Unavailable(f"the tables of {name} do not answer: {error}")


def _code(error: sqlite3.Error) -> int:
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & _PRIMARY_CODE
