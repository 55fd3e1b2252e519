"""A client for tests: it asserts the status, and shows the body where that differs."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET

from tams_common.http.codec import encode_json
from tams_common.http.message import Context, Request
from tams_common.http.transport import App, MemoryTransport, Transport

BASE_URL = "http://tams.test"


class Answer(msgspec.Struct, frozen=True):
    """A response whose body has been read; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 — tests look into whatever came
        """The decoded body."""
        return msgspec.json.decode(self.body)


class Client:
    """Talks to an app or transport. Paths are raw, with their query; an absolute URL (a `Link`) loses its origin."""

    def __init__(self, target: App | Transport, *, token: str | None = None, context: Context | None = None) -> None:
        self._transport = MemoryTransport(target) if callable(target) else target
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._context = context or Context(request_id="test", base_url=BASE_URL)

    async def get(self, path: str, *, expect: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
        """GET."""
        return await self.send("GET", path, expect=expect, headers=headers)

    async def head(self, path: str, *, expect: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
        """HEAD; the body must be absent."""
        answer = await self.send("HEAD", path, expect=expect, headers=headers)
        assert answer.body == b""
        return answer

    async def put(self, path: str, json: object = UNSET, *, expect: int = 204) -> Answer:
        """PUT with a JSON body."""
        return await self.send("PUT", path, body=_encoded(json), expect=expect)

    async def post(self, path: str, json: object = UNSET, *, expect: int = 201) -> Answer:
        """POST with a JSON body."""
        return await self.send("POST", path, body=_encoded(json), expect=expect)

    async def delete(self, path: str, *, expect: int = 204) -> Answer:
        """DELETE."""
        return await self.send("DELETE", path, expect=expect)

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        expect: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Any request; `expect` None accepts every status."""
        if not path.startswith("/"):
            path = urlsplit(path)._replace(scheme="", netloc="").geturl()
        path, _, query = path.partition("?")
        request = Request(method, path, query=query, headers={**self._headers, **(headers or {})}, body=body)
        request.context = self._context
        response = await self._transport.send(request)
        answer = Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, await response.read())
        assert expect is None or answer.status == expect, (
            f"{method} {path}: expected {expect}, got {answer.status}: {answer.body[:2000].decode(errors='replace')}"
        )
        return answer


def _encoded(json: object) -> bytes:
    return b"" if json is UNSET else encode_json(json)
