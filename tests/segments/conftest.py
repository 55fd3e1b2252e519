"""The service with one flow in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.segments.rig import FLOW, Rig, running


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path / "media") as made:
        made.catalog.put(FLOW)
        yield made
