"""The store on SQLite: the embedded default."""

from tams_common.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
