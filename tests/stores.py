"""Where the tables of a store under test lie: on SQLite files, or with TAMS_TEST_STORE=vast on VAST DB.

That is the project's emulator, started once for the whole run, or the cluster that TAMS_TEST_VAST names
(`vast://HOST:PORT/BUCKET`), with the keys TAMS_TEST_VAST_ACCESS_KEY and TAMS_TEST_VAST_SECRET_KEY.
"""

import atexit
import functools
import hashlib
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest

from tams_common.config import Common, read
from tams_common.runtime import wiring
from tams_common.store import Store
from tams_common.store.table import AnyTable

SCRIPT = str(Path(sys.executable).with_name("tams"))
VAST = os.environ.get("TAMS_TEST_STORE", "sqlite") == "vast"
on_sqlite_files = pytest.mark.skipif(VAST, reason="reaches into the SQLite files; VAST DB has none")


def environ_of(data: Path | None) -> dict[str, str]:
    """The configuration of a store of its own; the same `data` finds the same tables again, None finds none."""
    if not VAST:
        return {}
    name = hashlib.sha256(str(data or uuid.uuid4()).encode()).hexdigest()[:20]
    return {
        "TAMS_STORE_URL": f"{_place()}/t{name}",
        "TAMS_VAST_ACCESS_KEY": os.environ.get("TAMS_TEST_VAST_ACCESS_KEY", "test"),
        "TAMS_VAST_SECRET_KEY": os.environ.get("TAMS_TEST_VAST_SECRET_KEY", "test"),
    }


def make_store(directory: Path | None, name: str, *, tables: Sequence[AnyTable]) -> Store:
    """The tables of the service `name`, kept for `directory`; None: they vanish."""
    place = "sqlite::memory:" if directory is None else f"sqlite:{directory}"
    environ = {"TAMS_STORE_URL": place} | environ_of(directory)
    return wiring.make_store(read(Common, "TAMS_", environ=environ), name, tables=tables)


@functools.cache
def _place() -> str:
    given = os.environ.get("TAMS_TEST_VAST")
    if given:
        return given.rstrip("/")
    child = subprocess.Popen([SCRIPT, "vast-emulator", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    found = re.search(r"http://(\S+)", child.stdout.readline())
    assert found, "the emulator did not start"

    def stop() -> None:
        child.terminate()
        child.communicate()

    atexit.register(stop)
    return f"vast://{found[1]}/vastdb"
