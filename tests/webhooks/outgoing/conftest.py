"""Senders for tests: with a short limit of time, allowed to reach this machine unless a test says otherwise."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from tams_common.clock import ManualClock
from tams_webhooks.config import WebhooksConfig
from tams_webhooks.outgoing.sender import Sender

CONFIG = WebhooksConfig(allow="127.0.0.0/8, ::1", timeout=20.0)
Senders = Callable[..., Sender]


@pytest.fixture
async def senders() -> AsyncIterator[Senders]:
    """Makes senders, with fields of the configuration and `lookup` or `tls`, and closes them after the test."""
    made: list[Sender] = []

    def make(*, lookup: Any = None, tls: Any = None, **fields: Any) -> Sender:  # noqa: ANN401
        config = msgspec.structs.replace(CONFIG, **fields)
        made.append(Sender(config, clock=ManualClock(), lookup=lookup, tls=tls))
        return made[-1]

    yield make
    for sender in made:
        await sender.close()


@pytest.fixture
def sender(senders: Senders) -> Sender:
    """A sender."""
    return senders()
