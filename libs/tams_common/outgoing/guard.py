"""What stands between a user's URL and the network: nothing is connected to that was not judged (WHK-32, INS-6)."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import Final, TypeAlias

from yarl import URL

from tams_common.errors import InvalidInput, StartRefused
from tams_common.outgoing.addresses import NAME, Address, Allowed, literal, why_refused

Lookup: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host name for a port; raises `OSError` when there are none."""

MAX_URL: Final = 2048
"""Characters of a URL, unless its kind needs more: a signed one may be longer."""
LOOKUP: Final = 3.0
"""Seconds that a registration waits for DNS; attempts have their own limit."""

_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f\\]")
_FIELD: Final = "$.url"


class Guard:
    """Judges URLs and the addresses behind them by the rules of `addresses` and the operator's list."""

    def __init__(self, allowed: Allowed, lookup: Lookup, *, longest: int = MAX_URL) -> None:
        self._allowed = allowed
        self._lookup = lookup
        self._longest = longest

    def target(self, url: str) -> URL:
        """The URL as it is requested. Raises `InvalidInput` for one that cannot be requested, or whose host is an IP
        address that may not be reached; names are judged by their addresses when they are connected to."""
        if len(url) > self._longest:
            raise InvalidInput(f"url is longer than {self._longest} characters", field=_FIELD)
        if _UNPRINTABLE.search(url):
            raise InvalidInput("url contains a blank, a backslash or a control character", field=_FIELD)
        target = _parsed(url)
        self._judge_host(target)
        return target

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Looks `host` up, once; every address of the answer may be reached.

        Raises `InvalidInput` when any of them may not, `OSError` when there is none.
        """
        found = await self._lookup(host, port)
        if not self._allowed.has_name(host):
            for text in found:
                self._judge(ip_address(text.partition("%")[0]), host)
        return found

    async def check_url(self, url: str) -> None:
        """Raises `InvalidInput` for a URL that could not be requested now, in words for its user.

        A host that does not resolve, or not within seconds, is accepted: it may be set up later, and every request is
        judged again.
        """
        target = self.target(url)
        host = target.raw_host or ""
        if literal(host) is not None:
            return
        try:
            async with asyncio.timeout(LOOKUP):
                await self.addresses(host, target.port or 0)
        except OSError:
            return

    def _judge_host(self, target: URL) -> None:
        host = target.raw_host or ""
        try:
            address = literal(host)
        except ValueError:
            raise InvalidInput(
                f"url: {host} is no host name; an IPv4 address has four decimal numbers, an IPv6 address no zone",
                field=_FIELD,
            ) from None
        if address is not None:
            self._judge(address, host)
        elif len(host) > 253 or not NAME.fullmatch(host):
            raise InvalidInput("url: the host is no valid name", field=_FIELD)

    def _judge(self, address: Address, host: str) -> None:
        kind = why_refused(address)
        if kind is not None and not self._allowed.has_address(address):
            raise InvalidInput(
                f"url: {host} belongs to {kind}; we reach public addresses, and others that the operator allows",
                field=_FIELD,
            )


def allowed_of(text: str, *, key: str) -> Allowed:
    """The operator's list; raises `StartRefused` naming the configuration key."""
    try:
        return Allowed.parse(text)
    except ValueError as error:
        raise StartRefused(f"configuration key {key}: {error}") from None


def _parsed(url: str) -> URL:
    try:
        target = URL(url)
    except ValueError as error:
        raise InvalidInput(f"url is not valid: {error}", field=_FIELD) from None
    if target.scheme not in ("http", "https") or not target.raw_host:
        raise InvalidInput("url must be absolute and begin with http:// or https://", field=_FIELD)
    if target.raw_user is not None or target.raw_password is not None:
        raise InvalidInput("url must not contain credentials", field=_FIELD)
    if not target.port:
        raise InvalidInput("url: port 0 cannot be reached", field=_FIELD)
    return _as_written(url, target).with_fragment(None)


def _as_written(url: str, target: URL) -> URL:
    """`target` with path and query exactly as their owner wrote them: signatures in URLs do not survive requoting."""
    if not url.isascii():
        return target
    exact = URL(url, encoded=True)
    same = (exact.raw_host or "").lower() == target.raw_host
    return exact if same else target
