"""The reference for writes: raw `sqlite3` that commits the same rows into the same tables, `synchronous=FULL`."""

import sqlite3
import time
import uuid
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

TABLES = ("segments", "objects")


class RawStore:
    """A fresh database declared like a store's `segments.sqlite`, with the rows of one of its flows as a pattern."""

    def __init__(self, path: Path, like: Path, *, flow: str, rows: int) -> None:
        with closing(sqlite3.connect(f"file:{like}?mode=ro", uri=True)) as source:
            names = ",".join("?" * len(TABLES))
            ddl = source.execute(
                f"SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name IN ({names})", TABLES
            )
            declarations = [text for (text,) in ddl]
            self._columns = {t: [row[1] for row in source.execute(f"PRAGMA table_info({t})")] for t in TABLES}
            self._segments = source.execute("SELECT * FROM segments WHERE flow_id = ? LIMIT ?", (flow, rows)).fetchall()
            place = self._columns["segments"].index("object_id")
            ids = [row[place] for row in self._segments]
            marks = ",".join("?" * len(ids))
            self._objects = source.execute(f"SELECT * FROM objects WHERE id IN ({marks})", ids).fetchall()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        for declaration in declarations:
            self._db.execute(declaration)
        self._insert = {t: f"INSERT INTO {t} VALUES ({','.join('?' * len(c))})" for t, c in self._columns.items()}

    def close(self) -> None:
        """Closes the database."""
        self._db.close()

    def bulk(self, batches: int) -> float:
        """Rows of segments committed per second: a commit is one batch of segments with their objects registered."""
        prepared = [self._fresh(self._segments, self._objects) for _ in range(batches)]
        replace = self._insert["objects"].replace("INSERT", "INSERT OR REPLACE")
        for _, objects in prepared:
            self._db.executemany(self._insert["objects"], objects)
        begin = time.perf_counter()
        for segments, objects in prepared:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(self._insert["segments"], segments)
            self._db.executemany(replace, objects)
            self._db.execute("COMMIT")
        return batches * len(self._segments) / (time.perf_counter() - begin)

    def single(self, commits: int) -> float:
        """Commits of one segment row each, per second."""
        prepared = [self._fresh(self._segments[:1], [])[0][0] for _ in range(commits)]
        begin = time.perf_counter()
        for row in prepared:
            self._db.execute(self._insert["segments"], row)
        return commits / (time.perf_counter() - begin)

    def _fresh(self, segments: Sequence[Any], objects: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        flow, fresh = str(uuid.uuid4()), {}
        place = self._columns["objects"].index("id")
        for row in objects:
            fresh[row[place]] = str(uuid.uuid4())
        return (
            [
                self._with("segments", row, flow_id=flow, object_id=fresh.get(_at(self._columns, row)))
                for row in segments
            ],
            [self._with("objects", row, id=fresh[row[place]]) for row in objects],
        )

    def _with(self, table: str, row: Sequence[Any], **changes: str | None) -> tuple[Any, ...]:
        values = dict(zip(self._columns[table], row, strict=True))
        values.update({name: value for name, value in changes.items() if value is not None})
        return tuple(values.values())


def _at(columns: dict[str, list[str]], row: Sequence[Any]) -> str:
    return str(row[columns["segments"].index("object_id")])
