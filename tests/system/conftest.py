"""Fixtures of the system tests. A running store serves the whole module: each test works on flows of its own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.system.api import Api
from tests.system.assemblies import ASSEMBLIES, in_memory


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=sorted(ASSEMBLIES))
async def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A client of a running store, on each assembly in turn."""
    async with ASSEMBLIES[request.param](tmp_path_factory.mktemp("store")) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def memory_api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A client of a store in this process, for what does not depend on the assembly."""
    async with in_memory(tmp_path_factory.mktemp("store")) as client:
        yield client
