"""How the contract suite gets at the stores of one adapter."""

from typing import Protocol

import pytest

from tams_common.store import Store


class Opener(Protocol):
    """Opens stores; what it opened, the fixture that made it closes."""

    async def open(self) -> Store:
        """A migrated store of `tables.TABLES`; on a `SharedStoreContract`, a further one has the same data."""
        ...

    async def take_down(self, store: Store) -> None:
        """Breaks the database under an open store."""
        ...


class Contract:
    """The fixtures of every part of the suite."""

    @pytest.fixture
    def opener(self) -> Opener:
        """Each adapter brings its own."""
        raise NotImplementedError

    @pytest.fixture
    async def store(self, opener: Opener) -> Store:
        return await opener.open()
