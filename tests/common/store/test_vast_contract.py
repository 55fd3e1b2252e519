"""The VAST DB adapter keeps the store port's contract: on the emulator, or on the cluster in TAMS_TEST_VAST."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.common.store.contract import SharedStoreContract
from tests.common.store.opener import Opener
from tests.common.store.vast_opener import Emulators, VastOpener, cluster, place


@pytest.fixture(scope="module")
def emulators() -> Iterator[Emulators]:
    emulators = Emulators()
    yield emulators
    emulators.stop()


# The SDK chooses an endpoint by the common random numbers, on threads that may still work when an example is made.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
class TestVast(SharedStoreContract):
    @pytest.fixture
    async def opener(self, emulators: Emulators) -> AsyncIterator[Opener]:
        async with AsyncExitStack() as stores:
            real = cluster()
            if real is not None:
                yield VastOpener(real, stores)
            else:
                yield VastOpener(place(emulators.emulator()), stores, emulators=emulators)
