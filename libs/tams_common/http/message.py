"""Request and response as handlers and transports see them: no server or client library shows through."""

from collections.abc import AsyncIterator, Mapping
from typing import Final, Protocol, TypeAlias, runtime_checkable

import msgspec

from tams_common.auth.principal import ANONYMOUS, Principal
from tams_common.errors import TooLarge

Body: TypeAlias = bytes | AsyncIterator[bytes]

DEFAULT_BODY_LIMIT: Final = 1024 * 1024


class Context(msgspec.Struct, frozen=True):
    """What the gateway knows of a request and a service needs: carried in memory, or in `x-tams-*` headers.

    `base_url` is the address under which the client reaches the store (scheme, host, prefix; no trailing slash).
    """

    request_id: str = ""
    base_url: str = ""
    principal: Principal = ANONYMOUS


class Request:
    """One HTTP request. `path` and `query` are raw (still percent-encoded), `headers` are read by lower-case name, and
    `params` are the decoded path parameters of the matched route. `remote` is the peer's address, empty in memory. The
    answer to an `endless` one is a stream without an end: it must not take up what others wait for."""

    __slots__ = ("body", "body_limit", "context", "endless", "headers", "method", "params", "path", "query", "remote")

    def __init__(
        self, method: str, path: str, *, query: str = "", headers: Mapping[str, str] | None = None, body: Body = b""
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers: Mapping[str, str] = headers if headers is not None else {}
        self.body = body
        self.body_limit = DEFAULT_BODY_LIMIT
        self.context = Context()
        self.params: Mapping[str, str] = {}
        self.remote = ""
        self.endless = False

    async def read(self) -> bytes:
        """The whole body; `TooLarge` beyond `body_limit` bytes."""
        if isinstance(self.body, bytes):
            if len(self.body) > self.body_limit:
                raise too_large(self.body_limit)
            return self.body
        announced = self.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self.body_limit:
            raise too_large(self.body_limit)
        parts: list[bytes] = []
        size = 0
        async for part in self.body:
            size += len(part)
            if size > self.body_limit:
                raise too_large(self.body_limit)
            parts.append(part)
        self.body = b"".join(parts)
        return self.body

    async def stream(self) -> AsyncIterator[bytes]:
        """The body as it comes in, without a limit of its own."""
        if isinstance(self.body, bytes):
            yield self.body
            return
        async for part in self.body:
            yield part


def too_large(limit: int) -> TooLarge:
    """The error for a body of more than `limit` bytes."""
    return TooLarge(f"the body is larger than the {limit} bytes that this path accepts")


class Response(msgspec.Struct):
    """One HTTP response; header names are in lower case. A body that is an iterator is streamed, and its handler sets
    `content-length` where it is known."""

    status: int
    body: Body = b""
    headers: dict[str, str] = msgspec.field(default_factory=dict)

    async def read(self) -> bytes:
        """The whole body."""
        return self.body if isinstance(self.body, bytes) else b"".join([part async for part in self.body])


@runtime_checkable
class Closable(Protocol):
    """A streamed body that holds something until it is closed."""

    async def aclose(self) -> None:
        """Gives it back, whether or not the body was read."""
        ...


async def close_body(body: Body) -> None:
    """Ends a body that is not read to its end."""
    if not isinstance(body, bytes) and isinstance(body, Closable):
        await body.aclose()
