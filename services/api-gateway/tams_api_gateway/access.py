"""The access log: one line per request, rendered directly because structlog's way would cost more than the request."""

import time
from collections.abc import Callable
from typing import Final

import msgspec

from tams_common.clock import Clock
from tams_common.http.message import Request, Response
from tams_common.logging import redacted

ABANDONED: Final = 499
"""The status in the log of a request whose client went away before it was answered."""
_MS: Final = 1_000_000


class Line(msgspec.Struct, frozen=True):
    """`ms` is the time until the response starts; `bytes` its length where it is known."""

    time: str
    level: str
    event: str
    request_id: str
    method: str
    path: str
    query: str
    status: int
    ms: float
    bytes: int | None
    subject: str
    remote: str


class AccessLog:
    """Hands lines to `write`: JSON, or with `pretty` for eyes."""

    def __init__(self, write: Callable[[str], object], *, pretty: bool, clock: Clock) -> None:
        self._write = write
        self._pretty = pretty
        self._clock = clock
        self._encode = msgspec.json.Encoder().encode
        self._second = -1
        self._stamp = ""

    def note(self, request: Request, response: Response | None, *, seconds: float) -> None:
        """Logs an answered request, or with None an abandoned one."""
        ms, context = round(seconds * 1000, 3), request.context
        status, size = (ABANDONED, None) if response is None else (response.status, _size(response))
        query = redacted(request.query)
        if self._pretty:
            shown = f"{request.path}?{query}" if query else request.path
            self._write(f"{self._now()} {status} {request.method:6} {shown} {ms:.1f} ms {context.request_id}")
            return
        line = Line(
            self._now(),
            "info",
            "request",
            context.request_id,
            request.method,
            request.path,
            query,
            status,
            ms,
            size,
            context.principal.subject,
            request.remote,
        )
        try:
            self._write(self._encode(line).decode())
        except UnicodeEncodeError:
            self._write(repr(line))

    def _now(self) -> str:
        now = self._clock()
        second, rest = divmod(now, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._stamp}.{rest // _MS:03}Z"


def _size(response: Response) -> int | None:
    if isinstance(response.body, bytes):
        return len(response.body)
    length = response.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None
