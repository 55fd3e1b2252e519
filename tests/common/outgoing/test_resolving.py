"""Looking up names: what hangs holds up nothing else."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from tams_common.outgoing.resolving import SystemLookup
from tests.common.eventually import eventually

ANSWER = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("198.51.100.7", 0))]


class Dns:
    """The machine's resolver: names that begin with "hangs" are answered when it is released."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.released = threading.Event()

    def getaddrinfo(self, host: str, *_args: object, **_kwargs: object) -> list[object]:
        """Stands for `socket.getaddrinfo`."""
        self.asked[host] += 1
        if host.startswith("hangs"):
            self.released.wait()
        if host.endswith(".nowhere"):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [*ANSWER]


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dns]:
    made = Dns()
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
    yield made
    made.released.set()


async def test_a_name_is_looked_up_once_however_many_ask(dns: Dns) -> None:
    lookup = SystemLookup()
    waiting = [asyncio.ensure_future(lookup("hangs.test", port)) for port in range(100)]
    await eventually(lambda: dns.asked["hangs.test"] == 1)
    waiting[0].cancel()
    dns.released.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [["198.51.100.7"]] * 99
    assert dns.asked["hangs.test"] == 1
    assert await lookup("hangs.test", 1) == ["198.51.100.7"]
    assert dns.asked["hangs.test"] == 2
    lookup.close()


async def test_names_that_hang_do_not_stop_others(dns: Dns) -> None:
    lookup = SystemLookup()
    waiting = [asyncio.ensure_future(lookup(f"hangs{n}.test", 443)) for n in range(200)]
    await eventually(lambda: len(dns.asked) == 200)
    assert await lookup("lives.test", 443) == ["198.51.100.7"]
    with pytest.raises(OSError, match="no such name"):
        await lookup("lives.nowhere", 443)
    dns.released.set()
    await asyncio.gather(*waiting)
    lookup.close()
