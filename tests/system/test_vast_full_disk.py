"""The disk under VAST DB is full: the store refuses, goes on reading, loses nothing, and recovers by itself."""

from pathlib import Path

from tests import vast
from tests.common.eventually import eventually
from tests.system import processes, words
from tests.system.assemblies import in_this_process
from tests.system.test_interrupted import UNLIMITED, limit_files, needs_limits, next_segments

ROOM = 1_000_000
"""Bytes that the emulator's log may still grow by."""


@needs_limits
async def test_a_full_disk_refuses_and_loses_nothing(tmp_path: Path) -> None:
    data = tmp_path / "vast"
    arguments = ("vast-emulator", "--listen", "127.0.0.1:0", "--data", str(data))
    async with processes.tams(*arguments, log=tmp_path / "emulator.log") as emulator:
        server = vast.Server(f"vast://{emulator.url.removeprefix('http://')}/vastdb")
        async with in_this_process(server.environ("full")) as api:
            flow = await words.make_flow(api)
            path = f"/flows/{flow}/segments"
            (item,) = await words.allocate(api, flow, count=1)
            (log,) = data.glob("redo-*.log")
            limit_files(emulator, (log.stat().st_size + ROOM, UNLIMITED[1]))
            batch, stored = next_segments(item["object_id"], after=0), list[str]()
            while (answer := await api.call("POST", path, json=batch, expect=(201, 503))).status == 201:
                stored += [str(segment["timerange"]) for segment in batch]
                batch = next_segments(item["object_id"], after=len(stored))
            assert answer.headers["Retry-After"]
            assert [each["timerange"] for each in await api.all(f"{path}?limit=1000&accept_get_urls=")] == stored
            limit_files(emulator, UNLIMITED)
            await api.post(path, batch)
            stored += [str(segment["timerange"]) for segment in batch]
            assert [each["timerange"] for each in await api.all(f"{path}?limit=1000&accept_get_urls=")] == stored

            async def told() -> bool:
                return "segments_updated" in (await api.get(f"/flows/{flow}")).json()

            await eventually(told)
    assert "Traceback" not in (tmp_path / "emulator.log").read_text()
