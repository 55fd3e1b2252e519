"""The demo as a newcomer runs it: against a store it starts itself, and against one that is running."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tams_demo.clip import Clip
from tams_demo.connection import Connection, StoreError
from tams_demo.local_store import Address, running_store
from tams_demo.replies import StoredSegment
from tests.conformance import rule


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[Address]:
    async with running_store(tmp_path / "store") as address:
        yield address


async def started(*arguments: str, token: str | None = None) -> asyncio.subprocess.Process:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAMS_")}
    if token:
        environment["TAMS_DEMO_TOKEN"] = token
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tams_demo", *arguments),
        env=environment | {"COLUMNS": "160"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        # A shell lets what it runs in the background ignore Ctrl-C, and so would we.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


async def demo(*arguments: str, token: str | None = None) -> tuple[int | None, str]:
    process = await started(*arguments, token=token)
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_everything_comes_back_from_a_store_of_its_own() -> None:
    status, said = await demo("--seconds", "6")
    assert status == 0, said
    assert "Everything came back as it went in." in said
    for step in ("make", "cut", "start", "describe", "allocate", "upload", "register", "list", "compare", "decode"):
        assert step in said


async def test_a_file_of_ones_own_goes_to_a_running_store_and_leaves_it_clean(address: Address, clip: Clip) -> None:
    file, again = ("--file", str(clip.path)), ("--url", address.url, "--epoch", "0")
    status, said = await demo(*file, *again, "--delete", token=address.token)
    assert status == 0, said
    assert "Reading back [2:0_4:0)" in said
    status, said = await demo(*file, *again, token=address.token)
    assert status == 0, said


@rule("INI-1", "INI-3", "INI-4", "INI-5", "INI-13", "URL-1")
async def test_fragments_come_back_with_their_init_segments(address: Address, clip: Clip) -> None:
    arguments = ("--file", str(clip.path), "--url", address.url, "--epoch", "0", "--container", "fmp4")
    status, said = await demo(*arguments, token=address.token)
    assert status == 0, said
    assert "Everything came back as it went in." in said
    async with Connection(address.url, address.token) as connection:
        flows = (await connection.call("GET", "/flows?init_segments=true", expect=(200,))).read(list[dict[str, Any]])
        assert {flow["container"] for flow in flows} == {"video/iso.segment", "audio/mp4"}
        for flow in flows:
            path = f"/flows/{flow['id']}/segments"
            segments = (await connection.call("GET", path, expect=(200,))).read(tuple[StoredSegment, ...])
            assert len({segment.init_object.object_id for segment in segments if segment.init_object}) == 1
            assert len(segments) == 3
    status, said = await demo(*arguments[:-1], "ts", "--delete", token=address.token)
    assert status == 0, said


async def test_a_refused_token_is_told(address: Address) -> None:
    status, said = await demo("--seconds", "1", "--url", address.url, token="wrong")
    assert status == 1
    assert "The demo failed." in said
    assert "answered 401" in said
    assert "seconds of media" not in said, "media were made for nothing"


async def test_a_second_store_on_the_same_directory_does_not_start(address: Address, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="did not start"):
        async with running_store(tmp_path / "store"):
            pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_demo_leaves_no_store_running(number: signal.Signals) -> None:
    process = await started("--seconds", "40")  # so that enough is left to do when the address has been read
    assert process.stdout is not None
    url = None
    while url is None and (line := await process.stdout.readline()):
        if found := re.match(r"TAMS 8\.2 at (\S+)", line.decode()):
            url = found[1]
    assert url is not None
    process.send_signal(number)
    await process.communicate()
    assert process.returncode == 130
    async with Connection(url, None) as connection:
        with pytest.raises(StoreError, match="Connect"):
            await connection.call("GET", "/healthz", expect=(200,))
