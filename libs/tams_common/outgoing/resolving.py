"""Looking up hosts for connections: the guard's answer is the only one that aiohttp connects to."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from tams_common.outgoing.guard import Guard

THREADS: Final = 1024
"""Names that are looked up at once, in threads of their own, which are made when they are needed: names whose servers
hang must hold up nothing else, neither of the process nor among the lookups."""


class SystemLookup:
    """Asks the machine's resolver, once at a time for each name, however many want to know."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="outgoing-dns")
        self._asked: dict[str, asyncio.Future[list[str]]] = {}

    async def __call__(self, host: str, _port: int) -> Sequence[str]:
        """The addresses of `host`; raises `OSError`. Who no longer waits leaves the others waiting."""
        asked = self._asked.get(host)
        if asked is None:
            asked = asyncio.get_running_loop().run_in_executor(self._threads, _addresses, host)
            self._asked[host] = asked
            asked.add_done_callback(lambda _: self._answered(host))
        return await asyncio.shield(asked)

    def _answered(self, host: str) -> None:
        asked = self._asked.pop(host)
        if not asked.cancelled():
            asked.exception()

    def close(self) -> None:
        """Starts no more lookups."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


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
