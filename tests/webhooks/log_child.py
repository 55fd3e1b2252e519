"""An appender to the event log in a process of its own: `NAME COUNT`, the store's configuration in its environment.

Tells each number once its commit has answered.
"""

import asyncio
import os
import sys

from tams_common.clock import system_clock
from tams_common.config import Common, read
from tams_common.runtime import wiring
from tams_webhooks.log import append
from tams_webhooks.tables import TABLES
from tests.common.child import say
from tests.webhooks.rig import flow_event


async def main(name: str, count: int) -> None:
    store = wiring.make_store(read(Common, "TAMS_", environ=os.environ), "webhooks", tables=TABLES)
    await store.open()
    for place in range(count):
        event = flow_event(at=place, label=name)
        say(await store.run(lambda tx: append(tx, event, at=system_clock())))  # noqa: B023
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
