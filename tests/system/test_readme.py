"""The README is true: its first five requests, run as they stand, do what it says."""

import asyncio
import re
from pathlib import Path

from tests.stores import SCRIPT
from tests.system import processes
from tests.system.api import Api
from tests.system.processes import TOKEN

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
