"""Ports on loopback for servers that keep their address when they are stopped and started again."""

import secrets
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_SYSTEMS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_LOWEST: Final = 32768
_MANY: Final = 12000
_PRIVILEGED: Final = 1024
_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """As many different ports that nobody listens on, and that this process was not given before: a server to which one
    belongs may not have started yet, or may be down."""
    highest = _lowest_of_the_system()
    found: list[int] = []
    while len(found) < count:
        port = highest - 1 - secrets.randbelow(_MANY)
        if port not in _given and is_free(port):
            _given.add(port)
            found.append(port)
    return found


def in_use(ports: Iterable[int]) -> str:
    """Which one of the `ports` that a folder keeps somebody listens on, as a sentence; empty for none."""
    taken = next((port for port in ports if not is_free(port)), None)
    return f"127.0.0.1:{taken} is in use: is it running on this folder already?" if taken else ""


def is_free(port: int) -> bool:
    """Whether nobody listens on `port` of loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _lowest_of_the_system() -> int:
    """The lowest port that the system gives to outgoing connections and to listeners on port 0, where there is room
    below it: a higher one could be taken between the moment it is found free here and the moment its server listens,
    or while its server is down."""
    lowest = int(_SYSTEMS.read_text().split()[0]) if _SYSTEMS.exists() else _USUAL_LOWEST
    return lowest if lowest > _MANY + _PRIVILEGED else _USUAL_LOWEST
