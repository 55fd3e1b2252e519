"""Which addresses may be reached by a URL of a user's: public ones, and what the operator lists (WHK-32, INS-6).

Without these rules the service would be his way into the network it runs in.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from msgspec import Struct
from yarl import URL

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

NAME: Final = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.IGNORECASE)
"""A host name, in ASCII."""

_METADATA: Final = "a metadata service"
_PRIVATE: Final = "a private network"
_LOOPBACK: Final = "the machine itself"
_LINK: Final = "the local link"
_RESERVED: Final = "a reserved range"
_DOCUMENTATION: Final = "a range for documentation"
_MULTICAST: Final = "a multicast group"

_KINDS: Final = {
    "0.0.0.0/8": _LOOPBACK,
    "10.0.0.0/8": _PRIVATE,
    "100.100.100.200/32": _METADATA,
    "100.64.0.0/10": "a provider's shared range",
    "127.0.0.0/8": _LOOPBACK,
    "168.63.129.16/32": _METADATA,
    "169.254.169.254/32": _METADATA,
    "169.254.170.2/32": _METADATA,
    "169.254.0.0/16": _LINK,
    "172.16.0.0/12": _PRIVATE,
    "192.0.0.192/32": _METADATA,
    "192.0.0.0/24": _RESERVED,
    "192.0.2.0/24": _DOCUMENTATION,
    "192.88.99.0/24": _RESERVED,
    "192.168.0.0/16": _PRIVATE,
    "198.18.0.0/15": "a range for benchmarks",
    "198.51.100.0/24": _DOCUMENTATION,
    "203.0.113.0/24": _DOCUMENTATION,
    "224.0.0.0/4": _MULTICAST,
    "240.0.0.0/4": _RESERVED,
    "::1/128": _LOOPBACK,
    "::/128": _LOOPBACK,
    "2001::/23": _RESERVED,
    "2001:db8::/32": _DOCUMENTATION,
    "3fff::/20": _DOCUMENTATION,
    "fc00::/7": _PRIVATE,
    "fd00:ec2::254/128": _METADATA,
    "fe80::/10": _LINK,
    "fec0::/10": _PRIVATE,
    "ff00::/8": _MULTICAST,
}

_UNICAST: Final = IPv6Network("2000::/3")
"""All of IPv6 that is routed on the Internet lies here; what does not is refused, whatever it is called."""
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_6TO4: Final = IPv6Network("2002::/16")


def _most_specific_first(kinds: Iterable[tuple[str, str]]) -> tuple[tuple[Network, str], ...]:
    return tuple(sorted(((ip_network(text), kind) for text, kind in kinds), key=lambda item: -item[0].prefixlen))


_REFUSED: Final = _most_specific_first(_KINDS.items())


def inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address is another form of (mapped, NAT64, 6to4), or `address` itself."""
    if isinstance(address, IPv6Address):
        if address in _MAPPED or address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        if address in _6TO4:
            return IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return address


def why_refused(address: Address) -> str | None:
    """What kind of place `address` is, in words; None for one on the public Internet."""
    address = inner(address)
    for network, kind in _REFUSED:
        if address in network:
            return kind
    return None if isinstance(address, IPv4Address) or address in _UNICAST else _RESERVED


class Allowed(Struct, frozen=True):
    """What may be reached although it is not public. `suffixes` begin with a dot and allow every name below."""

    networks: tuple[Network, ...] = ()
    names: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Allowed":
        """Reads networks (`10.1.0.0/16`), addresses, host names and `*.suffix` with commas between them.

        Raises `ValueError` that names the entry at fault.
        """
        networks: list[Network] = []
        names: set[str] = set()
        suffixes: list[str] = []
        for entry in filter(None, (part.strip().lower() for part in text.split(","))):
            if entry[0].isdigit() or ":" in entry or "/" in entry:
                networks.append(_network(entry))
            elif entry.startswith("*."):
                suffixes.append("." + _name(entry[2:], entry))
            else:
                names.add(_name(entry, entry))
        return cls(tuple(networks), frozenset(names), tuple(suffixes))

    def has_name(self, host: str) -> bool:
        """Whether every address of `host` may be reached."""
        host = host.lower().rstrip(".")
        return host in self.names or host.endswith(self.suffixes)

    def has_address(self, address: Address) -> bool:
        """Whether `address`, or the IPv4 address in it, lies in a network of the list."""
        return any(address in network or inner(address) in network for network in self.networks)


def literal(host: str) -> Address | None:
    """The address that `host` is, None for a name.

    Raises `ValueError` for what only looks like one: the decimal, octal, hexadecimal and short forms of IPv4 addresses
    that C libraries understand, a dot at their end, an IPv6 zone.
    """
    if ":" in host:
        address = ip_address(host)
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            raise ValueError("an IPv6 zone")
        return address
    last = host.rstrip(".").rpartition(".")[2].lower()
    if not last.isdecimal() and not _is_hexadecimal(last):
        return None
    return IPv4Address(host)


def _is_hexadecimal(label: str) -> bool:
    return label.startswith("0x") and all(digit in "0123456789abcdef" for digit in label[2:])


def _network(entry: str) -> Network:
    try:
        return ip_network(entry)
    except ValueError as error:
        raise ValueError(f"{entry!r} is no network or address: {error}") from None


def _name(name: str, entry: str) -> str:
    """`name` as it stands in URLs: in lower case, and in ASCII whatever its alphabet."""
    try:
        host = URL.build(scheme="http", host=name).raw_host or ""
    except ValueError:
        host = ""
    if not NAME.fullmatch(host):
        raise ValueError(f"{entry!r} is no host name")
    return host.rstrip(".")
