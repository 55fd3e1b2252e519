"""Fixtures of the system tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.system.api import Api
from tests.system.assemblies import ASSEMBLIES, in_memory


@pytest.fixture(params=sorted(ASSEMBLIES))
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    """A client of a running store, on each assembly in turn."""
    async with ASSEMBLIES[request.param](tmp_path) as client:
        yield client


@pytest.fixture
async def memory_api(tmp_path: Path) -> AsyncIterator[Api]:
    """A client of a store in this process, for what does not depend on the assembly."""
    async with in_memory(tmp_path) as client:
        yield client
