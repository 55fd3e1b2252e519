"""A process that writes to a store on files: it is killed, or runs beside another one."""

import asyncio
import sys
from pathlib import Path

from tams_common.store import Tx
from tams_common.store.sqlite import SqliteStore
from tests.common.child import say
from tests.common.store.tables import CLIPS, HEADS, TABLES, Clip, Head

CLIPS_PER_RUN = 40
WRITERS = 4


def advance(tx: Tx, flow: str) -> int:
    """Moves the flow's version, and adds clips that belong to it."""
    head = tx.get(HEADS, (flow,)) or Head(flow, 0)
    version = head.version + 1
    (tx.update if head.version else tx.insert)(HEADS, [Head(flow, version)])
    first = version * CLIPS_PER_RUN
    tx.insert(CLIPS, [Clip(flow=flow, start=start) for start in range(first, first + CLIPS_PER_RUN)])
    return version


async def _write(store: SqliteStore, flow: str, *, runs: int) -> None:
    for _ in range(runs):
        say(f"{flow} {await store.run(lambda tx: advance(tx, flow))}")


async def main(directory: str, flow: str, *, runs: int) -> None:
    """Writes with several tasks at once: `runs` times each to `flow`, or to a flow of its own where that is `each`."""
    store = SqliteStore(Path(directory), "tables", tables=TABLES)
    await store.open()
    await store.migrate()
    flows = [f"f{n}" if flow == "each" else flow for n in range(WRITERS)]
    await asyncio.gather(*(_write(store, name, runs=runs) for name in flows))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], runs=int(sys.argv[3])))
