"""A process of a test's own, to be killed."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.common.eventually import PATIENCE

_ROOT: Final = Path(__file__).parents[2]


class Child:
    """A running `python -m module`; what it tells is the lines of its standard output that begin with "> "."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def tell(self) -> str:
        """The next thing it tells, empty when it has ended."""
        if self._process.stdout is None:
            raise RuntimeError("the child has no standard output")
        async with asyncio.timeout(PATIENCE):
            while line := await self._process.stdout.readline():
                if line.startswith(b"> "):
                    return line[2:].decode().strip()
        return ""

    async def kill(self) -> list[str]:
        """Kills it at once (-9); returns what it had told and nobody had heard yet."""
        if self._process.returncode is None:
            self._process.kill()
        rest, _ = await self._process.communicate()
        lines = rest.decode().splitlines(keepends=True)
        return [line[2:].strip() for line in lines if line.startswith("> ") and line.endswith("\n")]

    async def ended(self) -> int:
        """Waits until it ends by itself; its exit status, negative for a signal."""
        async with asyncio.timeout(PATIENCE):
            await self._process.communicate()
        return self._process.returncode or 0


@asynccontextmanager
async def child(module: str, *arguments: str) -> AsyncIterator[Child]:
    """Starts `python -m module arguments`; it does not outlive the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    running = Child(process)
    try:
        yield running
    finally:
        await running.kill()


def say(text: object) -> None:
    """Tells the parent something."""
    sys.stdout.write(f"> {text}\n")
    sys.stdout.flush()
