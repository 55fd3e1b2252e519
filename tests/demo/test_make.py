"""`make demo OBJECTS=s3`, as the Makefile spells it: on a SeaweedFS server that runs for the time of the demo."""

import asyncio
import os
import shlex
import subprocess
import sys
from pathlib import Path

from tams_common.objects.declared import S3Backend, read_backends
from tams_common.objects.s3 import S3Objects
from tests import seaweed
from tools.seaweed import Seaweed

ROOT = Path(__file__).resolve().parents[2]
OBJECTS = 4
"""Of four seconds of video and audio in segments of two."""


def written(*words: str) -> str:
    """The command that `make demo` would run in the end, with this Python."""
    told = subprocess.run(
        ["make", "--no-print-directory", "-n", "demo", *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return told.stdout.splitlines()[-1].replace(".venv/bin/python", shlex.quote(sys.executable))


async def stored(server: Seaweed) -> list[str]:
    """The keys in the bucket of a server's storage file."""
    (declared,) = read_backends(server.storage_file)
    assert isinstance(declared, S3Backend)
    objects = S3Objects(declared, url_lifetime=300)
    await objects.open()
    try:
        return [entry.key async for entry in objects.entries()]
    finally:
        await objects.close()


async def test_everything_comes_back_from_s3(tmp_path: Path) -> None:
    seaweed.server()  # where there can be none, this skips
    command = written("OBJECTS=s3", "ARGS=--seconds 4")
    assert "--fresh" in command
    process = await asyncio.create_subprocess_shell(
        command.replace("--fresh", f"--data {shlex.quote(str(tmp_path))}"),  # so that it can be looked at afterwards
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("TAMS_")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    assert "Everything came back as it went in." in said
    server = Seaweed(tmp_path)
    await asyncio.to_thread(server.start)
    try:
        assert len(await stored(server)) == OBJECTS
    finally:
        await asyncio.to_thread(server.kill)
