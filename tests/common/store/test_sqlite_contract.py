"""The SQLite adapter keeps the store port's contract: in memory and on files."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tams_common.store import Store
from tams_common.store.sqlite import SqliteStore
from tests.common.store.contract import SharedStoreContract, StoreContract
from tests.common.store.opener import Opener
from tests.common.store.tables import TABLES


class SqliteOpener:
    """Stores in `directory`, or each in memory."""

    def __init__(self, directory: Path | None, stores: AsyncExitStack) -> None:
        self._directory = directory
        self._stores = stores

    async def open(self) -> Store:
        store = SqliteStore(self._directory, "tables", tables=TABLES)
        await store.open()
        self._stores.push_async_callback(store.close)
        await store.migrate()
        return store

    async def take_down(self, store: Store) -> None:
        """Overwrites the files, after a change that makes every connection read them anew."""
        assert isinstance(store, SqliteStore)
        path = store.path
        other = sqlite3.connect(path)
        self._stores.callback(other.close)
        with other:
            other.execute("CREATE TABLE change (number INTEGER)")
        for file in (path, path.with_name(f"{path.name}-wal")):
            size = file.stat().st_size
            with file.open("r+b") as opened:
                opened.write(b"\xff" * size)


class TestMemory(StoreContract):
    @pytest.fixture
    async def opener(self) -> AsyncIterator[Opener]:
        async with AsyncExitStack() as stores:
            yield SqliteOpener(None, stores)


class TestFile(SharedStoreContract):
    @pytest.fixture
    async def opener(self, tmp_path: Path) -> AsyncIterator[Opener]:
        async with AsyncExitStack() as stores:
            yield SqliteOpener(tmp_path, stores)
