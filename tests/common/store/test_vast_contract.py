"""The VAST DB adapter keeps the store port's contract: on the emulator, or on the cluster in TAMS_TEST_VAST."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.common.store.contract import SharedStoreContract
from tests.common.store.opener import Opener
from tests.common.store.vast_opener import Emulators


class TestVast(SharedStoreContract):
    @pytest.fixture
    async def opener(self, emulators: Emulators) -> AsyncIterator[Opener]:
        async with AsyncExitStack() as stores:
            yield emulators.opener(stores)
