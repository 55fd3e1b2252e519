"""HTTP to a store and to wherever it keeps its media, with the token going to the store's own origin only."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Self, TypeVar

import aiohttp
import msgspec
from yarl import URL

from tams_demo.replies import Problem

_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
_EXCERPT: Final = 300

T = TypeVar("T")


class StoreError(Exception):
    """The store refused, could not be reached, or answered what the specification does not allow."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, and the request it answers in words."""

    asked: str
    url: URL
    status: int
    headers: Mapping[str, str]
    body: bytes

    def read(self, kind: type[T]) -> T:
        """The JSON body as `kind`; raises `StoreError` if it is something else."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.DecodeError as error:
            raise StoreError(f"{self.asked} answered what it should not: {error}") from error


class Connection:
    """Keep-alive connections for a store at `url`, which may have a path; to be entered before use."""

    def __init__(self, url: str, token: str | None) -> None:
        self._root = URL(url.rstrip("/"), encoded=True)
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()

    async def call(self, method: str, path: str, *, body: object = None, expect: Collection[int]) -> Reply:
        """A request to the API at `path` below the store's URL, or at a URL that the store gave; `body` goes as JSON.

        Raises `StoreError` for a status that is not among `expect`.
        """
        url = URL(f"{self._root}{path}", encoded=True) if path.startswith("/") else URL(path, encoded=True)
        headers = {"Accept": "application/json"}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        return await self._send(method, url, headers=headers | self._credentials(url), content=content, expect=expect)

    async def transfer(
        self, method: str, url: str, *, presigned: bool, headers: Mapping[str, str], content: bytes | None = None
    ) -> Reply:
        """A request for a media object at a URL that the store gave, maybe of another origin or relative to its own."""
        target = self._root.join(URL(url, encoded=True))
        credentials = {} if presigned else self._credentials(target)
        return await self._send(
            method, target, headers={**headers, **credentials}, content=content, expect=(200, 201, 204, 206)
        )

    def _credentials(self, url: URL) -> dict[str, str]:
        if self._token is None or url.origin() != self._root.origin():
            return {}
        return {"Authorization": f"Bearer {self._token}"}

    async def _send(
        self, method: str, url: URL, *, headers: Mapping[str, str], content: bytes | None, expect: Collection[int]
    ) -> Reply:
        if self._session is None:
            raise RuntimeError("the connection has not been entered")
        # A presigned URL's query is a credential and has no place in a message.
        asked = f"{method} {url.with_query(None)}"
        try:
            async with self._session.request(method, url, headers=headers, data=content) as response:
                reply = Reply(asked, url, response.status, response.headers, await response.read())
        except aiohttp.ClientConnectorError as error:
            raise StoreError(f"{asked}: no connection: {error.strerror or error}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise StoreError(f"{asked}: {str(error) or type(error).__name__}") from error
        if reply.status not in expect:
            raise StoreError(f"{asked} answered {reply.status} {_said(reply.body) or response.reason}")
        return reply


def _said(body: bytes) -> str:
    excerpt = body[:_EXCERPT].decode(errors="replace")
    try:
        return str(msgspec.json.decode(body, type=Problem)) or excerpt
    except msgspec.DecodeError:
        return excerpt
