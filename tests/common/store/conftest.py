"""The emulator under the tests of the VAST adapter. What comes with the SDK is imported when a test needs it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.common.store.vast_opener import Emulators, VastOpener
    from vast_emulator.server import Emulator


@pytest.fixture(scope="module")
def emulators() -> "Iterator[Emulators]":
    from tests.common.store.vast_opener import Emulators

    emulators = Emulators()
    yield emulators
    emulators.stop()


@pytest.fixture
def emulator(emulators: "Emulators") -> "Emulator":
    return emulators.emulator()


@pytest.fixture
async def opener(emulator: "Emulator") -> "AsyncIterator[VastOpener]":
    """Always on the emulator: for tests that count requests or order faults."""
    from tests.common.store.vast_opener import VastOpener, place

    async with AsyncExitStack() as stores:
        yield VastOpener(place(emulator), stores)
