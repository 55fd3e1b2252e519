"""Reading instances that this store does not control, at the URLs that clients have given (INS-6)."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from yarl import URL

from tams_common.errors import NotFound, PreconditionFailed, Unavailable
from tams_common.objects import ObjectInfo
from tams_common.outgoing.guard import Guard, Lookup, allowed_of
from tams_common.outgoing.resolving import GuardedResolver, SystemLookup

LONGEST: Final = 8192
"""Characters of a URL: as many as a registration takes."""
_CHUNK: Final = 1024 * 1024
_CONNECTIONS: Final = 64
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
_HEADERS: Final = {"User-Agent": "tams-segments", "Accept": "*/*", "Accept-Encoding": "identity"}
_STRONG: Final = re.compile(r'"([^"]*)"')


class Outside:
    """Connections to other people's servers: public ones, and those that the operator's list `allow` names.

    It follows no redirect, keeps no cookie and uses no proxy. `lookup` replaces the machine's resolver.
    """

    def __init__(self, allow: str, *, lookup: Lookup | None = None) -> None:
        self._system = SystemLookup()
        allowed = allowed_of(allow, key="TAMS_SEGMENTS_COPY_ALLOW")
        self._guard = Guard(allowed, lookup or self._system, longest=LONGEST)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Closes all connections; nothing can be read any more."""
        if self._session is not None:
            await self._session.close()
        self._system.close()

    @asynccontextmanager
    async def get(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer with bytes, its body unread; all failures, also in the block, become errors of ours."""
        target = self._guard.target(url)
        try:
            async with self._opened().get(target, headers=headers, allow_redirects=False) as response:
                _check(response, target)
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unavailable(f"{target.host} does not answer: {str(error) or type(error).__name__}") from error

    def _opened(self) -> aiohttp.ClientSession:
        """Made when it is needed first."""
        if self._session is None:
            connector = aiohttp.TCPConnector(resolver=GuardedResolver(self._guard), limit=_CONNECTIONS)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=_TIMEOUT,
                headers=_HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session


class AtUrl:
    """An instance at a URL. One whose server tells no strong entity tag has no version: it is only read whole."""

    def __init__(self, outside: Outside, url: str) -> None:
        self._outside = outside
        self.name = url

    async def head(self) -> ObjectInfo:
        """What the server tells; asked by GET, for which the URL was made: a signature may not cover HEAD."""
        async with self._outside.get(self.name, {}) as response:
            if response.content_length is None:
                raise Unavailable(f"{response.url.host} does not tell the size of the object")
            kind = response.headers.get("Content-Type", "")
            return ObjectInfo(response.content_length, _version(response), kind, modified=0)

    async def read(self, info: ObjectInfo, *, first: int) -> AsyncIterator[bytes]:
        """The bytes from `first` on, whether or not the server knows ranges."""
        headers = {"If-Match": f'"{info.etag}"'} if info.etag else {}
        if first:
            headers["Range"] = f"bytes={first}-"
        async with self._outside.get(self.name, headers) as response:
            if _version(response) != info.etag:
                raise PreconditionFailed(f"the object at {response.url.host} is another one by now")
            skip = first
            if response.status == 206:
                if not response.headers.get("Content-Range", "").startswith(f"bytes {first}-"):
                    raise Unavailable(f"{response.url.host} answers another range than it was asked for")
                skip = 0
            async for data in response.content.iter_chunked(_CHUNK):
                if skip < len(data):
                    yield data[skip:]
                skip = max(0, skip - len(data))


def _check(response: aiohttp.ClientResponse, target: URL) -> None:
    if response.status in (404, 410):
        raise NotFound(f"{target.host} does not have the object")
    if response.status == 412:
        raise PreconditionFailed(f"the object at {target.host} is another one by now")
    if response.status not in (200, 206):
        raise Unavailable(f"{target.host} answered {response.status}")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise Unavailable(f"{target.host} gives the object in another encoding than it was asked for")


def _version(response: aiohttp.ClientResponse) -> str:
    found = _STRONG.fullmatch(response.headers.get("ETag", ""))
    return found[1] if found else ""
