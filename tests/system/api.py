"""Words for talking to a running store over HTTP: each call asserts the status it expects."""

import io
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL


class Answer(msgspec.Struct, frozen=True):
    """What the store said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401  (tests index freely)
        """The decoded body."""
        return msgspec.json.decode(self.body)

    @property
    def next(self) -> str | None:
        """The URL of the next page, out of `Link`."""
        link = self.headers.get("Link")
        if link is None:
            return None
        assert link.startswith("<"), link
        assert link.endswith('>; rel="next"'), link
        return link[1 : -len('>; rel="next"')]


class Api:
    """A client of the store at `url`."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self._session = aiohttp.ClientSession(auto_decompress=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        expect: int | tuple[int, ...] = 200,
        json: object = None,
        **more: Any,  # noqa: ANN401  (aiohttp's own options)
    ) -> Answer:
        """One request; `path` may be a whole URL. `data` and `headers` go to aiohttp as they are."""
        headers = {"Authorization": f"Bearer {self.token}"} | more.pop("headers", {})
        if json is not None:
            headers["Content-Type"] = "application/json"
            more["data"] = io.BytesIO(msgspec.json.encode(json))
        url = URL(path if path.startswith("http") else self.url + path, encoded=True)
        async with self._session.request(method, url, headers=headers, allow_redirects=False, **more) as response:
            answer = Answer(response.status, response.headers.copy(), await response.read())
        wanted = expect if isinstance(expect, tuple) else (expect,)
        assert answer.status in wanted, f"{method} {path}: {answer.status}, expected {expect}: {answer.body[:2000]!r}"
        return answer

    async def get(self, path: str, *, expect: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
        """GET."""
        return await self.call("GET", path, expect=expect, headers=headers or {})

    async def head(self, path: str, *, expect: int = 200) -> Answer:
        """HEAD."""
        return await self.call("HEAD", path, expect=expect)

    async def put(self, path: str, json: object, *, expect: int | tuple[int, ...] = (201, 204)) -> Answer:
        """PUT of JSON."""
        return await self.call("PUT", path, expect=expect, json=json)

    async def post(self, path: str, json: object, *, expect: int = 201) -> Answer:
        """POST of JSON."""
        return await self.call("POST", path, expect=expect, json=json)

    async def delete(self, path: str, *, expect: int = 204) -> Answer:
        """DELETE."""
        return await self.call("DELETE", path, expect=expect)

    async def pages(self, path: str) -> list[Answer]:
        """Every page from `path` on, along `Link`."""
        answers = [await self.get(path)]
        while (following := answers[-1].next) is not None:
            answers.append(await self.get(following))
        return answers

    async def all(self, path: str) -> list[Any]:
        """Every item of every page."""
        return [item for page in await self.pages(path) for item in page.json()]

    async def upload(self, put_url: Mapping[str, str], data: bytes) -> None:
        """Uploads media as a client does: to the URL, with exactly the content type given, without credentials."""
        async with self._session.put(
            URL(put_url["url"], encoded=True), data=data, headers={"Content-Type": put_url["content-type"]}
        ) as response:
            assert response.status in (200, 201, 204), await response.text()

    async def download(self, url: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Downloads from a presigned URL, without credentials."""
        async with self._session.get(URL(url, encoded=True), headers=headers) as response:
            return Answer(response.status, response.headers.copy(), await response.read())


def escaped(text: str) -> str:
    """`text` as one path segment or query value."""
    return quote(text, safe="")
