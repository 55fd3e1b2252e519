"""The README is true: its first five requests, run as they stand, do what it says."""

import asyncio
import os
import re
import signal
from pathlib import Path

from tests.common.eventually import eventually
from tests.stores import SCRIPT
from tests.system import processes, words
from tests.system.api import Api
from tests.system.processes import TOKEN
from tools.ports import free_ports

README = Path(__file__).parents[2] / "README.md"
FLOW = "10000000-0000-4000-8000-000000000001"


async def test_the_first_five_requests_after_those_of_the_greeting(tmp_path: Path) -> None:
    async with processes.dev(tmp_path / "data") as child, Api(child.url, TOKEN) as api:
        greeting = "\n".join(await child.curl_lines())
        script = "\n".join(re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL))
        assert script.count("curl ") == 5
        script = f"{greeting}\n{script}".replace("http://127.0.0.1:4010", child.url)
        script = script.replace("$(.venv/bin/tams token)", TOKEN)
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-euo", "pipefail", "-c", script.replace("curl ", "curl -sS --fail-with-body ")),
            stdout=asyncio.subprocess.PIPE,
            cwd=tmp_path,
        )
        output, _ = await shell.communicate()
        assert shell.returncode == 0, output
        assert b'"timerange":"[0:0_2:0)"' in output.splitlines()[-1]
        (segment,) = (await api.get(f"/flows/{FLOW}/segments")).json()
        assert (await api.download(segment["get_urls"][0]["url"])).body == b"two seconds of media\n"


async def test_the_token_command_of_the_readme(tmp_path: Path) -> None:
    async with processes.tams(
        *("dev", "--listen", "127.0.0.1:0", "--data", str(tmp_path / ".tams")), log=tmp_path / "log"
    ) as child:
        printed = await asyncio.create_subprocess_exec(SCRIPT, "token", stdout=asyncio.subprocess.PIPE, cwd=tmp_path)
        output, _ = await printed.communicate()
        async with Api(child.url, output.decode().strip()) as api:
            await api.get("/service")


async def test_the_services_run_apart_as_the_readme_starts_them(tmp_path: Path) -> None:
    block = README.read_text().partition("As services of their own")[2].partition("Only the gateway")[0]
    script = "\n".join(re.findall(r"^    (.*)", block, re.MULTILINE)) + " --listen 127.0.0.1:4010"
    for usual, port in zip(range(4010, 4014), ports := free_ports(4), strict=True):
        script = script.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{port}")
    script = script.replace("$(openssl rand -hex 16)", TOKEN)
    path = f"{Path(SCRIPT).parent}:{os.environ['PATH']}"
    with (tmp_path / "log").open("wb") as log:
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-euo", "pipefail", "-c", f"trap wait TERM\n{script}"),
            env=processes.clean_environment({"PATH": path}),
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        async with Api(f"http://127.0.0.1:{ports[0]}", TOKEN) as api:

            async def is_ready() -> bool:
                assert shell.returncode is None, (tmp_path / "log").read_text()
                for port in ports:
                    try:
                        await api.get(f"http://127.0.0.1:{port}/readyz")
                    except OSError:
                        return False
                return True

            await eventually(is_ready)
            flow = await words.make_flow(api)
            await words.fill(api, flow, count=2)
            assert len(await api.all(f"/flows/{flow}/segments")) == 2
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
        await shell.wait()
