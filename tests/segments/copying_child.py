"""A replica that is killed (-9) in the midst of a copy: `python -m tests.segments.copying_child DIRECTORY`."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from tams_common.objects import Copies
from tests.common.eventually import eventually
from tests.segments.copying_rig import begun, copying


async def main(directory: Path) -> None:
    """Copies until a part has arrived."""
    async with copying(directory) as rig:
        copies = asyncio.create_task(rig.copies.run())
        target = rig.parts.objects[1]
        assert isinstance(target, Copies)

        async def has_part() -> bool:
            return await target.arrived((await begun(rig)).upload) > 0

        await eventually(has_part)
        os.kill(os.getpid(), signal.SIGKILL)
        await copies


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
