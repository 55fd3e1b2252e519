"""Media streams through the embedded store: an upload or download far larger than its memory does not show there.

`TAMS_TEST_UPLOAD_MB` says how large; `make chaos` tries 2 GB.
"""

import hashlib
import os
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from tests.conformance import rule
from tests.system import processes, words
from tests.system.api import Api
from tests.system.processes import TOKEN

MIB = 1024 * 1024
SIZE = int(os.environ.get("TAMS_TEST_UPLOAD_MB", "192")) * MIB
ROOM = 48 * MIB
"""What moving media may take: a few pieces of it, on their way through sockets and threads."""
PIECE = random.Random(1).randbytes(MIB)

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="memory is read from /proc, as Linux has it"
)


def peak(pid: int) -> int:
    """The most memory (bytes) that a process has had so far."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def piece(number: int) -> bytes:
    """A MiB that is like no other."""
    return number.to_bytes(8, "big") + PIECE[8:]


async def pieces() -> AsyncIterator[bytes]:
    """The media, made as it is sent."""
    for number in range(SIZE // MIB):
        yield piece(number)


@rule("URL-10", "INT-2")
async def test_memory_stays_flat(tmp_path: Path) -> None:
    whole, wanted = hashlib.sha256(), hashlib.sha256()
    async with processes.dev(tmp_path / "data") as child, Api(child.url, TOKEN) as api:
        flow = await words.make_flow(api)
        (item,) = await words.allocate(api, flow, count=1)
        await api.upload(item["put_url"], PIECE)  # what is imported and made once is there from now on
        before = peak(child.process.pid)
        async with aiohttp.ClientSession() as session:
            put = item["put_url"]
            headers = {"Content-Type": put["content-type"], "Content-Length": str(SIZE)}
            async with session.put(URL(put["url"], encoded=True), data=pieces(), headers=headers) as answer:
                assert answer.status == 200, await answer.text()
            await api.post(f"/flows/{flow}/segments", words.segment(item["object_id"], 0, end=1))
            (segment,) = (await api.get(f"/flows/{flow}/segments")).json()
            async with session.get(URL(segment["get_urls"][0]["url"], encoded=True)) as answer:
                assert int(answer.headers["Content-Length"]) == SIZE
                async for data in answer.content.iter_chunked(MIB):
                    whole.update(data)
        for number in range(SIZE // MIB):
            wanted.update(piece(number))
        assert whole.digest() == wanted.digest()
        assert peak(child.process.pid) - before < ROOM
