"""Operating system processes of the store: started, killed and stopped by tests."""

import asyncio
import base64
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.stores import SCRIPT, environ_of
from tools.ports import free_ports


class Child:
    """A running `tams` process."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log
        self.output: list[str] = []
        self.url = ""

    async def wait_url(self) -> None:
        """Reads the output until the process says where it listens; fails with its log when it ends first."""
        assert self.process.stdout is not None
        while not self.url:
            line = (await self.process.stdout.readline()).decode()
            assert line, f"tams ended: {''.join(self.output)}{self.log.read_text()}"
            self.output.append(line)
            found = re.search(r"http://[\d.]+:\d+", line)
            self.url = found[0] if found else ""

    async def curl_lines(self) -> list[str]:
        """The three requests that `tams dev` greets with."""
        assert self.process.stdout is not None
        while len(found := re.findall(r"curl .*", "".join(self.output))) < 3:
            self.output.append((await self.process.stdout.readline()).decode())
        return found

    def kill(self) -> None:
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM, and wait; the exit status."""
        if self.process.returncode is None:
            self.process.terminate()
        return await self.process.wait()


def clean_environment(more: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: none of this process's own configuration of the store."""
    return {key: value for key, value in os.environ.items() if not key.startswith("TAMS_")} | dict(more)


@asynccontextmanager
async def tams(*words: str, log: Path, environ: Mapping[str, str] | None = None) -> AsyncIterator[Child]:
    """`tams WORDS…` that serves; stopped at the end."""
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            SCRIPT, *words, stdout=asyncio.subprocess.PIPE, stderr=stderr, env=clean_environment(environ or {})
        )
    child = Child(process, log)
    try:
        await child.wait_url()
        yield child
    finally:
        await child.stop()


@asynccontextmanager
async def dev(data: Path, *words: str) -> AsyncIterator[Child]:
    """`tams dev` on the directory `data`, on a free port, with the token `test-token`."""
    data.mkdir(parents=True, exist_ok=True)
    arguments = ("dev", "--listen", "127.0.0.1:0", "--data", str(data), "--token", TOKEN, *words)
    async with tams(*arguments, log=data.with_name(f"{data.name}.log"), environ=environ_of(data)) as child:
        yield child


async def run(*words: str, environ: Mapping[str, str] | None = None) -> tuple[int, str]:
    """`tams WORDS…` that ends by itself: exit status and all output."""
    process = await asyncio.create_subprocess_exec(
        SCRIPT,
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=clean_environment(environ or {}),
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


TOKEN = "test-token-0123456789"
ENCRYPTION_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
SERVICES = ("catalog", "segments", "webhooks", "analytics", "api-gateway")


@asynccontextmanager
async def every_service(
    data: Path, *, replicas: int = 1, bus: str | None = None, environ: Mapping[str, str] | None = None
) -> AsyncIterator[dict[str, list[Child]]]:
    """Every service in processes of its own on shared files in `data`, `replicas` of each; gateway n asks replica n.

    `bus` is the URL of another bus than a file, `environ` more of the configuration.
    """
    data.mkdir(parents=True, exist_ok=True)
    tokens = data / "tokens"
    tokens.write_text(f"{TOKEN} tester tams-api/admin\n")
    shared = {
        "TAMS_STORE_URL": f"sqlite:{data}",
        "TAMS_BUS_URL": bus or f"sqlite:{data}",
        "TAMS_OBJECTS_URL": f"local:{data / 'media'}",
        "TAMS_API_GATEWAY_TOKENS_FILE": str(tokens),
        "TAMS_WEBHOOKS_ENCRYPTION_KEYS": ENCRYPTION_KEY,
        "TAMS_WEBHOOKS_ALLOW": "127.0.0.0/8",
    } | environ_of(data)
    shared |= environ or {}
    status, output = await run("tables", "migrate", environ=shared)
    assert status == 0, output
    children: dict[str, list[Child]] = {name: [] for name in SERVICES}
    async with AsyncExitStack() as stack:
        for replica in range(replicas):
            ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
            peers = {
                f"TAMS_{name.upper()}_URL": f"http://127.0.0.1:{port}"
                for name, port in ports.items()
                if name != "api-gateway"
            }
            async with asyncio.TaskGroup() as starting:
                started = {
                    name: starting.create_task(
                        stack.enter_async_context(
                            tams(
                                *("run", name, "--listen", f"127.0.0.1:{port}"),
                                log=data / f"{name}-{replica}.log",
                                environ=shared | peers,
                            )
                        )
                    )
                    for name, port in ports.items()
                }
            for name, child in started.items():
                children[name].append(child.result())
        yield children
