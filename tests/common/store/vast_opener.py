"""Stores on VAST DB for tests: on an emulator of their own, or on the cluster that the environment names."""

import itertools
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from uuid import uuid4

import pytest

from tams_common.store import Store
from tams_common.store.table import AnyTable
from tams_common.store.vast import Place, VastStore, place_of
from tests.common.store.tables import TABLES
from vast_emulator.server import Emulator, Settings
from vast_emulator.serving import running

CLUSTER = "TAMS_TEST_VAST"
"""`vast://host:port/bucket/schema` of a real cluster; its key in …_ACCESS_KEY and …_SECRET_KEY."""
KEY = "test"

_NUMBERS = itertools.count()


def cluster() -> Place | None:
    """The cluster that the environment names; schemas below its own are made and left."""
    if CLUSTER not in os.environ:
        return None
    access_key, secret_key = os.environ[f"{CLUSTER}_ACCESS_KEY"], os.environ[f"{CLUSTER}_SECRET_KEY"]
    return place_of(f"{os.environ[CLUSTER]}/{uuid4().hex}", access_key=access_key, secret_key=secret_key)


def place(emulator: Emulator) -> Place:
    """A schema of its own on `emulator`."""
    schema = f"schema{next(_NUMBERS)}"
    url = f"vast://{emulator.url.removeprefix('http://')}/vastdb/{schema}"
    return place_of(url, access_key=KEY, secret_key=KEY)


class Emulators:
    """One emulator for many tests; a test that takes it down leaves the next one a new one."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self._emulator: Emulator | None = None

    def emulator(self) -> Emulator:
        """The emulator that runs, without faults and with nothing counted."""
        if self._emulator is None:
            self._emulator = self._running.enter_context(running(Settings(keys={KEY: KEY})))
        self._emulator.faults.clear()
        self._emulator.counters.reset()
        return self._emulator

    def stop(self) -> None:
        """Takes the emulator down, connections included."""
        self._emulator = None
        self._running.close()


class VastOpener:
    """Stores with the same data at one place."""

    def __init__(self, place: Place, stores: AsyncExitStack, *, emulators: Emulators | None = None) -> None:
        self.place = place
        self._stores = stores
        self._emulators = emulators

    async def open(self) -> Store:
        return await self.vast()

    async def vast(self, tables: Sequence[AnyTable] = TABLES, *, patience: float = 5.0) -> VastStore:
        """A migrated store of `tables`."""
        store = VastStore(self.place, "tables", tables=tables, patience=patience)
        await store.open()
        self._stores.push_async_callback(store.close)
        await store.migrate()
        return store

    async def take_down(self, _store: Store) -> None:
        """Stops the emulator."""
        if self._emulators is None:
            pytest.skip("a cluster is not taken down")
        self._emulators.stop()
