"""Under which address a client reaches the store: what `Link` and media URLs begin with."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from tams_common.errors import InvalidInput, StartRefused
from tams_common.http.message import Request

Network: TypeAlias = IPv4Network | IPv6Network

_is_host = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?").fullmatch
_is_prefix = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?").fullmatch
_is_public_url = re.compile(r"https?://[^/?#\s]+[^?#\s]*").fullmatch
_REMEMBERED: Final = 4096


class BaseUrls:
    """Scheme, host and prefix of a request, without a slash at the end: `public_url` where it is set, else what a proxy
    in one of the networks `trusted` says by `X-Forwarded-*`, else the request's own `Host`."""

    def __init__(self, public_url: str, trusted: Sequence[Network]) -> None:
        if public_url and not _is_public_url(public_url):
            raise StartRefused(f"configuration key TAMS_PUBLIC_URL: {public_url!r} is no http or https URL")
        self._public_url = public_url.rstrip("/")
        self._trusted = trusted
        self._peers: dict[str, bool] = {}

    def of(self, request: Request) -> str:
        """The base URL for the answer to `request`; raises `InvalidInput` for a host that cannot be one."""
        if self._public_url:
            return self._public_url
        headers = request.headers
        scheme, host, prefix = "http", headers.get("host", ""), ""
        if self._trusted and self._trusts(request.remote):
            scheme = _first(headers.get("x-forwarded-proto")) or scheme
            host = _first(headers.get("x-forwarded-host")) or host
            prefix = _first(headers.get("x-forwarded-prefix")).rstrip("/")
            if scheme not in ("http", "https") or not _is_prefix(prefix):
                raise InvalidInput("X-Forwarded-Proto or X-Forwarded-Prefix is not valid", field="X-Forwarded-Proto")
        if not host:
            return ""
        if not _is_host(host):
            raise InvalidInput(f"{host[:100]!r} is not a host", field="Host")
        return f"{scheme}://{host}{prefix}"

    def _trusts(self, peer: str) -> bool:
        known = self._peers.get(peer)
        if known is None:
            known = self._is_trusted(peer)
            if len(self._peers) < _REMEMBERED:
                self._peers[peer] = known
        return known

    def _is_trusted(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self._trusted)


def parse_networks(text: str) -> tuple[Network, ...]:
    """`10.0.0.0/8,fd00::/8` → networks; raises `StartRefused`."""
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise StartRefused(f"configuration key TAMS_API_GATEWAY_TRUSTED_PROXIES: {error}") from None


def _first(value: str | None) -> str:
    return value.partition(",")[0].strip() if value else ""
