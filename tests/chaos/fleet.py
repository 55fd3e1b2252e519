"""A store of many processes, any of which may be killed (-9) at any moment and comes back on what it has kept."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.stores import environ_of
from tests.system import processes
from tests.system.processes import ENCRYPTION_KEY, SERVICES, TOKEN, Child
from tools.ports import free_ports

LEASE = "2"
"""Seconds for which a dead replica keeps its lanes here."""


class Replica:
    """One process of the fleet, always at the same address."""

    def __init__(self, name: str, port: int, *, log: Path, environ: Mapping[str, str]) -> None:
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        self._words = ("run", name, "--listen", f"127.0.0.1:{port}")
        self._log = log
        self._environ = environ
        self._stack = AsyncExitStack()
        self._child: Child | None = None

    async def start(self) -> None:
        """Starts the process and waits until it listens."""
        self._child = await self._stack.enter_async_context(
            processes.tams(*self._words, log=self._log, environ=self._environ)
        )

    def freeze(self) -> None:
        """Stops it where it is."""
        assert self._child is not None
        self._child.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets it go on."""
        assert self._child is not None
        self._child.process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        """kill -9."""
        assert self._child is not None
        self._child.kill()
        await self._child.process.wait()
        await self._stack.aclose()

    async def stop(self) -> None:
        """SIGTERM, and wait."""
        await self._stack.aclose()


class Fleet:
    """All replicas of all services; gateway n asks replica n. `kills` are counted by role."""

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self.replicas = replicas
        self.kills: Counter[str] = Counter()

    async def kill(self, replica: Replica) -> None:
        """kill -9, for the caller to start it again."""
        self.kills[replica.name] += 1
        await replica.kill()

    def of(self, name: str) -> list[Replica]:
        """The replicas of a service."""
        return [replica for replica in self.replicas if replica.name == name]

    @property
    def gateways(self) -> list[str]:
        """Where clients reach the store."""
        return [replica.url for replica in self.of("api-gateway")]


@asynccontextmanager
async def fleet(
    data: Path, *, bus: str, objects: str = "", replicas: int = 2, environ: Mapping[str, str] | None = None
) -> AsyncIterator[Fleet]:
    """A running fleet with its tables in `data`, its events on `bus` and media in `objects`, by default a directory;
    `replicas` of each service, `environ` more of their configuration."""
    data.mkdir(parents=True, exist_ok=True)
    tokens = data / "tokens"
    tokens.write_text(f"{TOKEN} tester tams-api/admin\n")
    shared = {
        "TAMS_STORE_URL": f"sqlite:{data}",
        "TAMS_BUS_URL": bus,
        "TAMS_OBJECTS_URL": objects or f"local:{data / 'media'}",
        "TAMS_API_GATEWAY_TOKENS_FILE": str(tokens),
        "TAMS_WEBHOOKS_ENCRYPTION_KEYS": ENCRYPTION_KEY,
        "TAMS_WEBHOOKS_ALLOW": "127.0.0.0/8",
        "TAMS_WEBHOOKS_LEASE": LEASE,
        "TAMS_WEBHOOKS_DELAYS": ",".join(["0.2"] * 100),
    } | environ_of(data)
    shared |= environ or {}
    status, output = await processes.run("tables", "migrate", environ=shared)
    assert status == 0, output
    made: list[Replica] = []
    for number in range(replicas):
        ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
        peers = {
            f"TAMS_{name.upper()}_URL": f"http://127.0.0.1:{port}"
            for name, port in ports.items()
            if name != "api-gateway"
        }
        made += [
            Replica(name, port, log=data / f"{name}-{number}.log", environ=shared | peers)
            for name, port in ports.items()
        ]
    try:
        await asyncio.gather(*(replica.start() for replica in made))
        yield Fleet(made)
    finally:
        await asyncio.gather(*(replica.stop() for replica in made))
