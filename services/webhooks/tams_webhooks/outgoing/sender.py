"""Sends one delivery to one receiver and tells what came of it."""

import asyncio
import ssl
import time
from collections.abc import Mapping
from functools import lru_cache
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit
from types import SimpleNamespace
from typing import Final

import aiohttp
import structlog
from multidict import CIMultiDict
from yarl import URL

from tams_common.clock import Clock, system_clock
from tams_common.outgoing.guard import Guard, Lookup, allowed_of
from tams_common.outgoing.resolving import GuardedResolver, SystemLookup
from tams_webhooks.config import WebhooksConfig
from tams_webhooks.outgoing.answers import Answer, error_of, failure_of, retry_after

MOST: Final = 4096
"""Requests under way, or half as many as the process may have open files. None are counted by host: a webhook has its
own limit, and behind one host stand many webhooks, of which those that hang must not starve the others."""
TARGETS: Final = 1024
"""URLs whose judgement is remembered: it rests on nothing but the URL and the configuration. What stands behind a name
is judged for each connection."""
KEEPALIVE: Final = 15.0
LOOKUPS: Final = 10
"""Seconds: an idle connection is kept, and a judged lookup serves further connections."""
REST: Final = 64 * 1024
PATIENCE: Final = 1.0
"""Bytes and seconds for the rest of an answer, which nobody reads: it only frees the connection for the next one."""

_HEADERS: Final = {"User-Agent": "tams-webhooks", "Accept": "*/*", "Accept-Encoding": "identity"}
_log = structlog.stdlib.get_logger()


class Sender:
    """Delivers bodies by POST, with a pool of kept-alive connections.

    It follows no redirect, keeps no cookie, uses no proxy and connects only where the guard lets it. `lookup` replaces
    the machine's resolver, `tls` the machine's certificate authorities. Who sends holds one of `turns`: to
    wait for it is no part of the attempt.
    """

    def __init__(
        self,
        config: WebhooksConfig,
        *,
        clock: Clock = system_clock,
        lookup: Lookup | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.turns = asyncio.Semaphore(_most())
        self._timeout = config.timeout
        self._clock = clock
        self._tls = tls
        self._system = SystemLookup()
        self._guard = Guard(allowed_of(config.allow, key="TAMS_WEBHOOKS_ALLOW"), lookup or self._system)
        self._target = lru_cache(TARGETS)(self._guard.target)
        self._kept: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None
        self._closed = False

    async def check_url(self, url: str) -> None:
        """Raises `InvalidInput` for a URL that no webhook may have."""
        await self._guard.check_url(url)

    async def send(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Answer:
        """One attempt, within `config.timeout` seconds; raises nothing but a cancellation.

        A connection that had been kept and was closed by the receiver meanwhile is replaced by a new one, once: the
        event then goes out twice at most, with the same id.
        """
        kept, fresh = self._sessions()
        start = time.monotonic_ns()
        try:
            async with asyncio.timeout(self._timeout):
                post = _Post(self._target(url), body, headers=_merged(headers))
                response = await _first_or_second(post, kept, fresh=fresh)
        except Exception as error:  # noqa: BLE001 -- what a stranger's server does must not end the process
            return Answer(None, self._told(error), time.monotonic_ns() - start)
        latency = time.monotonic_ns() - start
        await _leave(response)
        wish = retry_after(response.headers.get("Retry-After"), now=self._clock())
        return Answer(response.status, error_of(response.status), latency, wish)

    async def close(self) -> None:
        """Closes all connections; nothing can be sent any more. Called when nobody sends any more."""
        self._closed = True
        for session in (self._kept, self._fresh):
            if session is not None:
                await session.close()
        self._system.close()

    def _sessions(self) -> tuple[aiohttp.ClientSession, aiohttp.ClientSession]:
        """The pool, and connections that serve one request each; made when the first delivery needs them."""
        if self._closed:
            raise RuntimeError("the sender is closed")
        if self._kept is None or self._fresh is None:
            self._kept = _session(self._connector(force_close=False))
            self._fresh = _session(self._connector(force_close=True))
        return self._kept, self._fresh

    def _connector(self, *, force_close: bool) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(
            resolver=GuardedResolver(self._guard),
            ttl_dns_cache=LOOKUPS,
            limit=0,
            ssl=self._tls or True,
            force_close=force_close,
            keepalive_timeout=None if force_close else KEEPALIVE,
        )

    def _told(self, error: Exception) -> str:
        told = failure_of(error, timeout=self._timeout)
        if told is None:
            _log.error("unexpected error of a delivery", exc_info=error)
        return told or "the delivery failed; the log of the store has the cause"


class _Post:
    """One request, which may have to be made twice."""

    def __init__(self, target: URL, body: bytes, *, headers: CIMultiDict[str]) -> None:
        self._target = target
        self._body = body
        self._headers = headers
        self.on_kept_connection = False

    async def by(self, session: aiohttp.ClientSession) -> aiohttp.ClientResponse:
        """The response, its body unread."""
        return await session.post(
            self._target, data=self._body, headers=self._headers, allow_redirects=False, trace_request_ctx=self
        )


def _most() -> int:
    files, _ = getrlimit(RLIMIT_NOFILE)
    return MOST if files == RLIM_INFINITY else min(MOST, files // 2)


def _merged(headers: Mapping[str, str]) -> CIMultiDict[str]:
    merged = CIMultiDict(_HEADERS)
    merged.update(headers)
    return merged


async def _first_or_second(
    post: _Post, kept: aiohttp.ClientSession, *, fresh: aiohttp.ClientSession
) -> aiohttp.ClientResponse:
    try:
        return await post.by(kept)
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError):
        if not post.on_kept_connection:
            raise
    return await post.by(fresh)


async def _leave(response: aiohttp.ClientResponse) -> None:
    """Reads what little is left of an answer; one that does not end soon loses its connection."""
    if response.content.at_eof():
        return
    left = REST
    try:
        async with asyncio.timeout(PATIENCE):
            while left > 0 and (part := await response.content.read(left)):
                left -= len(part)
    except (aiohttp.ClientError, OSError, ValueError):
        return
    finally:
        response.close()


async def _note_reuse(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.on_kept_connection = True


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    """All limits of time are the attempt's: aiohttp sets none of its own."""
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(_note_reuse)
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trace_configs=[tracing],
        skip_auto_headers=("Content-Type",),
    )
