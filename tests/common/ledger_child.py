"""The ledger in a process of its own, to be killed: `DIRECTORY MOMENT COUNT`.

Counts forever, relays and copies, and tells each step once it is committed. With the moment `before` or `after` it
kills itself at that side of the relay's publish number COUNT; with `never` it waits to be killed.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tams_common.bus import Message
from tams_common.bus.sqlite.desk import Settings
from tams_common.events import SEGMENTS
from tams_common.ids import new_id
from tams_common.inbox import Interest, Subscription
from tams_common.outbox import Relay, RelaySettings
from tests.common.bus.faulty import FaultyBus
from tests.common.child import say
from tests.common.ledger import copy, opened


class Trap:
    """Kills the process when it has been stepped on `count` times."""

    def __init__(self, count: int) -> None:
        self._left = count

    async def before(self, messages: Sequence[Message]) -> Sequence[Message]:
        await self.after()
        return messages

    async def after(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


async def main(directory: str, moment: str, *, count: int) -> None:
    trap = Trap(count)
    async with opened(Path(directory), settings=Settings(lease=0.2)) as ledger:
        bus = FaultyBus(ledger.bus)
        if moment == "before":
            bus.before = trap.before
        if moment == "after":
            bus.after = trap.after
        settings = RelaySettings(lease=0.2, batch_rows=5)
        relay = Relay(ledger.store, bus, clock=ledger.clock, new_id=new_id, settings=settings)
        interest = Interest("tams.copy", (SEGMENTS,), copy)
        subscription = Subscription(ledger.store, ledger.bus, interest=interest, clock=ledger.clock)
        async with asyncio.TaskGroup() as group:
            group.create_task(relay.run())
            group.create_task(subscription.run())
            while True:
                for name in ("a", "b"):
                    say(f"{name} {await ledger.step(name)}")
                    relay.prompt()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], count=int(sys.argv[3])))
