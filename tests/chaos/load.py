"""A mixed load on media: uploads, registrations, reuse, copies and deletions, by clients that repeat what broke."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from typing import Any

import aiohttp

from tests.system import words
from tests.system.processes import TOKEN

_AUTH = {"Authorization": f"Bearer {TOKEN}"}
_PATIENT = aiohttp.ClientTimeout(total=10)
_BROKEN = (aiohttp.ClientError, TimeoutError)
SIZE = 20_000
"""Bytes of a media object."""


class Client:
    """Talks to any of `gateways`; what breaks or is answered 5xx is repeated."""

    def __init__(self, session: aiohttp.ClientSession, gateways: Sequence[str]) -> None:
        self._session = session
        self._gateways = itertools.cycle(gateways)

    async def call(self, method: str, path: str, *, json: object = None) -> tuple[int, Any]:
        """Status and decoded body of the first answer below 500."""
        while True:
            url = f"{next(self._gateways)}{path}"
            try:
                async with self._session.request(method, url, json=json, headers=_AUTH, timeout=_PATIENT) as answer:
                    body = await answer.json(content_type=None) if await answer.read() else None
                    if answer.status < 500:
                        return answer.status, body
            except _BROKEN:
                pass
            await asyncio.sleep(0.05)

    async def upload(self, put_url: dict[str, str], data: bytes) -> bool:
        """One try; an upload that breaks leaves its object to the collector."""
        headers = {"Content-Type": put_url["content-type"]}
        try:
            async with self._session.put(put_url["url"], data=data, headers=headers, timeout=_PATIENT) as answer:
                return answer.status == 200
        except _BROKEN:
            return False


class Editor:
    """Works on two flows that share media: `done` counts what was completed."""

    def __init__(self, client: Client, draw: random.Random, *, copies_to: str) -> None:
        self.done = 0
        self._client = client
        self._draw = draw
        self._copies_to = copies_to
        self._flows = (words.new_id(), words.new_id())
        self._next = 0
        self._objects: list[str] = []

    async def run(self, *, stop: asyncio.Event) -> None:
        """Works until `stop`."""
        for flow in self._flows:
            body = words.video_flow(flow, words.new_id())
            status, answer = await self._client.call("PUT", f"/flows/{flow}", json=body)
            assert status in (201, 204), answer
        while not stop.is_set():
            steps = [self._record, self._record, self._record, self._reuse, self._copy, self._delete]
            await self._draw.choice(steps)()
            self.done += 1

    async def _record(self) -> None:
        flow = self._flows[0]
        _, answer = await self._client.call("POST", f"/flows/{flow}/storage", json={"limit": 2})
        for place in answer["media_objects"]:
            if await self._client.upload(place["put_url"], self._draw.randbytes(SIZE)):
                await self._register(flow, place["object_id"])

    async def _reuse(self) -> None:
        if self._objects:
            await self._register(self._flows[1], self._draw.choice(self._objects))

    async def _register(self, flow: str, object_id: str) -> None:
        number, self._next = self._next, self._next + 1
        item = words.segment(object_id, number, end=number + 1, ts_offset=f"{number}:0")
        await self._client.call("POST", f"/flows/{flow}/segments", json=item)
        self._objects.append(object_id)

    async def _copy(self) -> None:
        if self._objects:
            path = f"/objects/{self._draw.choice(self._objects)}/instances"
            await self._client.call("POST", path, json={"storage_id": self._copies_to})

    async def _delete(self) -> None:
        start = self._draw.randrange(max(1, self._next))
        end = start + self._draw.randrange(1, 8)
        path = f"/flows/{self._draw.choice(self._flows)}/segments?timerange=[{start}:0_{end}:0)"
        await self._client.call("DELETE", path)
