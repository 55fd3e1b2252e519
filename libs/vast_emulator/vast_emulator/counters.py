"""How often each command was asked for, and how many rows travelled, so that tests and metrics can count."""

import threading
from collections import Counter


class Counters:
    """Counts since the start or the last reset; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self._tables: Counter[str] = Counter()
        self._rows: Counter[str] = Counter()

    def request(self, kind: str, table: str) -> None:
        """One request of a kind (`GET data`), on a table's path or none."""
        with self._lock:
            self._requests[kind] += 1
            if table:
                self._tables[f"{kind} {table}"] += 1

    def status(self, status: int) -> None:
        """One answer with a status."""
        with self._lock:
            self._statuses[status] += 1

    def rows(self, what: str, number: int) -> None:
        """Rows `read`, `inserted`, `updated` or `deleted`."""
        with self._lock:
            self._rows[what] += number

    def snapshot(self) -> dict[str, dict[str, int]]:
        """`requests` by kind, `tables` by kind and path, `statuses`, `rows`."""
        with self._lock:
            return {
                "requests": dict(self._requests),
                "tables": dict(self._tables),
                "statuses": {str(status): number for status, number in self._statuses.items()},
                "rows": dict(self._rows),
            }

    def reset(self) -> None:
        """Everything back to zero."""
        with self._lock:
            for counter in (self._requests, self._tables, self._rows):
                counter.clear()
            self._statuses.clear()
