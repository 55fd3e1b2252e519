"""A store for the time of the demo: `tams dev` as a child process, on a directory that goes with it."""

import asyncio
import os
import re
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tams_demo.connection import Connection, StoreError

_URL: Final = re.compile(r"^\s*URL\s+(https?://\S+)")
_TOKEN: Final = re.compile(r"^\s*Token\s+(\S+)")
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 20
_POLL_SECONDS: Final = 0.05
_KEPT_LINES: Final = 30


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store is, and the bearer token it takes."""

    url: str
    token: str | None


@asynccontextmanager
async def running_store(data: Path, *, objects: str | None = None) -> AsyncIterator[Address]:
    """`tams dev` on `data` and a free port, ready to serve; it has ended when the block is left, however it is left.

    `objects` is where it keeps media, as in `TAMS_OBJECTS_URL`; without it in `data`. Raises `StoreError` if it cannot
    be started.
    """
    command = Path(sys.executable).with_name("tams")
    # What configures some other store must not reach this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAMS_")}
    try:
        process = await asyncio.create_subprocess_exec(
            *(str(command), "dev", "--listen", "127.0.0.1:0", "--data", str(data)),
            *(("--objects", objects) if objects else ()),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment | {"PYTHONUNBUFFERED": "1"},
            # Ctrl-C is for the demo, which then stops the store itself.
            start_new_session=True,
        )
    except OSError as error:
        raise StoreError(f"no store to start: {command} ({error.strerror}); name one with --url") from error
    output: deque[str] = deque(maxlen=_KEPT_LINES)
    lines = _lines(process, output)
    draining: asyncio.Task[None] | None = None
    try:
        try:
            async with asyncio.timeout(_START_SECONDS):
                address = await _address(lines)
                draining = asyncio.create_task(_drain(lines))
                await _ready(address, process)
        except (StoreError, TimeoutError) as error:
            said = "".join(f"\n  {line}" for line in output)
            raise StoreError(f"`tams dev` did not start: {str(error) or 'time is up'}{said}") from error
        yield address
    finally:
        await _stop(process)
        if draining is not None:
            await draining


async def _lines(process: asyncio.subprocess.Process, kept: deque[str]) -> AsyncIterator[str]:
    if process.stdout is not None:
        async for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            kept.append(line)
            yield line


async def _address(lines: AsyncIterator[str]) -> Address:
    url: str | None = None
    async for line in lines:
        if found := _URL.match(line):
            url = found[1]
        elif url and (found := _TOKEN.match(line)):
            return Address(url, found[1])
    raise StoreError("it ended before it was ready")


async def _drain(lines: AsyncIterator[str]) -> None:
    """Read on, so that the store never waits for somebody to read what it prints."""
    async for _ in lines:
        pass


async def _ready(address: Address, process: asyncio.subprocess.Process) -> None:
    async with Connection(address.url, address.token) as connection:
        while process.returncode is None:
            try:
                await connection.call("GET", "/readyz", expect=(200,))
            except StoreError:
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return
    raise StoreError("it ended before it was ready")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
