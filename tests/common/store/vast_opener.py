"""Stores on VAST DB for tests: on an emulator of their own, or on the cluster that the environment names."""

from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack

import pytest

from tams_common.store import Store
from tams_common.store.table import AnyTable
from tams_common.store.vast import Place, VastStore, place_of
from tests import vast
from tests.common.store.tables import TABLES
from vast_emulator.server import Emulator
from vast_emulator.serving import running


def place_on(server: vast.Server) -> Place:
    """A schema of its own on `server`."""
    url = f"{server.url}/{vast.new_schema()}"
    return place_of(url, access_key=server.access_key, secret_key=server.secret_key)


def place(emulator: Emulator) -> Place:
    """A schema of its own on `emulator`."""
    return place_on(vast.Server(f"vast://{emulator.url.removeprefix('http://')}/vastdb"))


class Emulators:
    """One emulator for many tests; a test that takes it down leaves the next one a new one."""

    def __init__(self) -> None:
        vast.give_the_sdk_random_numbers()
        self._running = ExitStack()
        self._emulator: Emulator | None = None

    def emulator(self) -> Emulator:
        """The emulator that runs, without faults and with nothing counted."""
        if self._emulator is None:
            self._emulator = self._running.enter_context(running())
        self._emulator.faults.clear()
        self._emulator.counters.reset()
        return self._emulator

    def stop(self) -> None:
        """Takes the emulator down, connections included."""
        self._emulator = None
        self._running.close()

    def opener(self, stores: AsyncExitStack) -> "VastOpener":
        """Opens stores on the cluster that the environment names, else on the emulator."""
        server = vast.cluster()
        if server is not None:
            return VastOpener(place_on(server), stores)
        return VastOpener(place(self.emulator()), stores, emulators=self)


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
