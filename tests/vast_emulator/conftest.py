import gc
from collections.abc import Iterator

import pytest
from vastdb.session import Session

from tests.vast_emulator.sdk import connected
from vast_emulator.server import Emulator
from vast_emulator.serving import running


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator of its own for each test, with an empty bucket `vastdb`, in memory."""
    with running() as found:
        yield found


@pytest.fixture
def session(emulator: Emulator) -> Iterator[Session]:
    """The unmodified SDK, connected over a real socket."""
    with connected(emulator) as found:
        yield found
    # After a broken reply the SDK leaves a socket to the collector, which shall find it in the test that broke it.
    gc.collect()
