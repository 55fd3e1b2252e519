"""The service, with nothing registered and nothing running beside the handlers."""

from collections.abc import AsyncIterator

import pytest

from tests.webhooks.rig import Rig, running


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running() as made:
        yield made
