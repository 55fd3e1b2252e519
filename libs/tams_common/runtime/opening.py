"""The bus of a process is opened as soon as it can be: until then changes wait in their outboxes (architecture 4)."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from tams_common.bus import Bus
from tams_common.bus.backoff import Backoff
from tams_common.errors import Unavailable
from tams_common.events import Topic

_MOST: Final = 5.0
"""Seconds between tries, at most: who waits for the process to be ready waits for no longer than that."""
_log = structlog.get_logger(__name__)


class BusOpening:
    """Opens `bus` and creates what is missing of `topics`, again and again until both have been done once.

    An outage after that is the business of those who publish and consume: the process stays ready, as it takes changes.
    """

    def __init__(self, bus: Bus, topics: Sequence[Topic]) -> None:
        self._bus = bus
        self._topics = topics
        self._is_open = False
        self._failure: Unavailable | None = Unavailable("the bus has not been opened yet")

    async def attempt(self) -> None:
        """One try; raises `StartRefused` for what waiting does not mend."""
        try:
            if not self._is_open:
                await self._bus.open()
                self._is_open = True
            await self._bus.apply(self._topics)
            self._failure = None
        except Unavailable as error:
            self._failure = error

    async def run(self) -> None:
        """Tries until it is done; ends when it is cancelled."""
        backoff = Backoff(most=_MOST)
        while self._failure is not None:
            delay = backoff.next()
            _log.warning("events wait for the bus", reason=self._failure.detail, seconds=round(delay, 3))
            await asyncio.sleep(delay)
            await self.attempt()
        await asyncio.Event().wait()

    async def check(self) -> None:
        """For `/readyz`: raises the reason why the bus could not be opened yet."""
        if self._failure is not None:
            raise Unavailable(self._failure.detail)
