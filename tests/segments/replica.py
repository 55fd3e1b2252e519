"""`python -m tests.segments.replica TASK DIRECTORY …`: another process with the service on the same tables."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from tams_common.http.codec import encode_json
from tams_segments.config import SegmentsConfig
from tests.common.child import say
from tests.segments.rig import FLOW, OTHER_FLOW, Rig, running, seconds, segment

HASTY = SegmentsConfig(delete_budget=0, delete_batch=2)
SEGMENTS = f"/flows/{FLOW}/segments"


async def write(rig: Rig, *names: str) -> None:
    """Adds a segment for each object name, one second each; tells the timeranges that were accepted."""
    say("ready")
    for name, timerange in zip(names, seconds(*range(len(names))), strict=True):
        answer = await rig.client.send("POST", SEGMENTS, body=encode_json(segment(name, timerange)))
        if answer.status == 201:
            say(timerange)


async def collect(rig: Rig) -> None:
    """Collects what was never registered, ten minutes later."""
    rig.clock.advance(seconds=600)
    say("ready")
    await rig.collector.sweep()


async def delete(rig: Rig, flow_id: str) -> None:
    """Deletes a whole flow or all its segments, and tells the request and then how it goes on, for ever."""
    if flow_id == FLOW:
        answer = await rig.client.delete(SEGMENTS, expect=202)
    else:
        path = f"/internal/flows/{flow_id}/deletion"
        answer = await rig.client.put(path, {"incarnation": rig.catalog.flows[flow_id].incarnation}, expect=202)
    say(answer.json()["id"])
    while await rig.worker.sweep():
        say("moved")


TASKS: Final[dict[str, Callable[..., Awaitable[None]]]] = {"write": write, "collect": collect, "delete": delete}


async def main(task: str, directory: Path, *words: str) -> None:
    """Does one task."""
    async with running(directory / "media", directory=directory, config=HASTY) as rig:
        rig.catalog.put(FLOW)
        rig.catalog.put(OTHER_FLOW)
        await TASKS[task](rig, *words)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]))
