"""Where the tables of a store under test lie: on SQLite files, or with TAMS_TEST_STORE=vast on VAST DB (`tests.vast`).

That is the project's emulator, started once for the whole run, or the cluster that TAMS_TEST_VAST names.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from tams_common.config import Common, read
from tams_common.runtime import wiring
from tams_common.store import Store
from tams_common.store.table import AnyTable
from tests import vast

SCRIPT = vast.SCRIPT
VAST = os.environ.get("TAMS_TEST_STORE", "sqlite") == "vast"
HANDED = "TAMS_TEST_HANDED"
"""In the environment of a child process: where its tables lie, whatever it asks for."""
on_sqlite_files = pytest.mark.skipif(VAST, reason="about the SQLite files of a store; VAST DB has none")


def environ_of(data: Path | None) -> dict[str, str]:
    """The configuration of a store of its own; the same `data` finds the same tables again, None finds none."""
    if not VAST:
        return {}
    if handed := os.environ.get(HANDED):
        return msgspec.json.decode(handed, type=dict[str, str])
    vast.give_the_sdk_random_numbers()
    server = vast.cluster() or vast.emulator()
    return server.environ(vast.new_schema() if data is None else _schema_of(data))


def handed(data: Path) -> str:
    """The value of `HANDED` for child processes that are to find the tables of `data`."""
    return msgspec.json.encode(environ_of(data)).decode()


def make_store(directory: Path | None, name: str, *, tables: Sequence[AnyTable]) -> Store:
    """The tables of the service `name`, kept for `directory`; None: they vanish."""
    place = "sqlite::memory:" if directory is None else f"sqlite:{directory}"
    environ = {"TAMS_STORE_URL": place} | environ_of(directory)
    return wiring.make_store(read(Common, "TAMS_", environ=environ), name, tables=tables)


def _schema_of(data: Path) -> str:
    return f"{vast.RUN}{hashlib.sha256(str(data).encode()).hexdigest()[:20]}"
