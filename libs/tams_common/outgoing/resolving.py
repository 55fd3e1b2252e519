"""Looking up hosts for connections: the guard's answer is the only one that aiohttp connects to."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from tams_common.outgoing.guard import Guard

THREADS: Final = 64
"""Lookups at once, in threads of their own: names whose servers hang must hold up nothing else of the process."""


class SystemLookup:
    """Asks the machine's resolver."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="outgoing-dns")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The addresses of `host`; raises `OSError`."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [str(address[0]) for *_, address in found]

    def close(self) -> None:
        """Starts no more lookups."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class GuardedResolver(AbstractResolver):
    """Hands aiohttp addresses that the guard has judged, and no others."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def resolve(self, host: str, port: int = 0, *_args: object, **_kwargs: object) -> list[ResolveResult]:
        """The addresses of `host`; raises `InvalidInput` for a host that may not be reached, `OSError` for none."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await self._guard.addresses(host, port)
        ]

    async def close(self) -> None:
        """Nothing is held."""
