"""Ports on loopback for servers that keep their address when they are stopped and started again."""

import secrets
import socket
from collections.abc import Iterable
from typing import Final

_RANGE: Final = (20000, 32000)
"""Below those that the system gives to outgoing connections and to listeners on port 0: such a one could take a port
between the moment it is found free here and the moment its server listens, or while its server is down."""


def free_ports(count: int) -> list[int]:
    """As many different ports that nobody listens on."""
    found: list[int] = []
    while len(found) < count:
        port = _RANGE[0] + secrets.randbelow(_RANGE[1] - _RANGE[0])
        if port not in found and is_free(port):
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
