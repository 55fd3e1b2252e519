"""Writers that change everything that makes events, and know of each change what must be told of it."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

import aiohttp

from tests.system import words
from tests.system.processes import TOKEN

AUTH: Final = {"Authorization": f"Bearer {TOKEN}"}
BROKEN: Final = (aiohttp.ClientError, TimeoutError)
_PATIENT: Final = aiohttp.ClientTimeout(total=10)

Mark: TypeAlias = tuple[str, str, str]
"""The type of an event, the id of its flow or source, and what was changed to, where that tells changes apart."""


class Client:
    """Talks to any of `gateways`, and repeats what breaks or is answered 5xx."""

    def __init__(self, session: aiohttp.ClientSession, gateways: Sequence[str]) -> None:
        self._session = session
        self._gateways = itertools.cycle(gateways)

    async def change(
        self, method: str, path: str, *, json: object = None, done: set[int], again: Sequence[int] = ()
    ) -> None:
        """Repeats the request until it is answered with one of `done`, or of `again` once a try's end is unknown."""
        tried = False
        while True:
            status, body = await self._once(method, path, json=json)
            if status in done or (tried and status in again):
                return
            assert status >= 500, f"{method} {path}: {status}: {body}"
            tried = True
            await asyncio.sleep(0.05)

    async def all(self, path: str) -> list[Any]:
        """Every item of every page."""
        found: list[Any] = []
        url = f"{next(self._gateways)}{path}"
        while url:
            page, url = await self._read(url)
            found += page
        return found

    async def get(self, path: str) -> Any:  # noqa: ANN401 — a decoded body
        """The body of a GET."""
        body, _ = await self._read(f"{next(self._gateways)}{path}")
        return body

    async def _read(self, url: str) -> tuple[Any, str]:
        """The body, and where the next page is."""
        while True:
            with suppress(*BROKEN):
                async with self._session.get(url, headers=AUTH, timeout=_PATIENT) as answer:
                    if answer.status == 200:
                        return await answer.json(), str(answer.links["next"]["url"]) if "next" in answer.links else ""
                    assert answer.status >= 500, await answer.text()
            await asyncio.sleep(0.05)

    async def _once(self, method: str, path: str, *, json: object) -> tuple[int, str]:
        """Status and body; 599 is what has broken."""
        url = f"{next(self._gateways)}{path}"
        try:
            async with self._session.request(method, url, json=json, headers=AUTH, timeout=_PATIENT) as answer:
                return answer.status, await answer.text()
        except BROKEN as error:
            return 599, repr(error)


class Writer:
    """Works on one flow and its source, one change after the other.

    `done` counts the changes; `acknowledged` has what the store has said to be done, `kept` the segments that it has
    said to have and that were not deleted since, by the second at which they start.
    """

    def __init__(self, client: Client, draw: random.Random) -> None:
        self.flow_id, self.source_id = words.new_id(), words.new_id()
        self.done = 0
        self.acknowledged: set[Mark] = set()
        self.kept: dict[int, str] = {}
        self._client = client
        self._draw = draw
        self._next = 0

    async def run(self, *, stop: asyncio.Event) -> None:
        """Makes the flow and works until `stop`."""
        await self.create()
        steps = [self.append] * 6 + [self._label, self._label, self._tag, self._label_source, self._cut, self._spare]
        while not stop.is_set():
            await self._draw.choice(steps)()
            self.done += 1

    async def create(self) -> None:
        """Makes the flow, and with it the source."""
        await self._create(self.flow_id, self.source_id)

    async def append(self) -> None:
        """A segment behind the last one."""
        number, self._next = self._next, self._next + 1
        name = f"{self.flow_id}/{number:06}"
        urls = [{"url": f"https://media.test/{name}", "label": "elsewhere"}]
        item = words.segment(name, number, end=number + 1, get_urls=urls)
        await self._client.change("POST", f"/flows/{self.flow_id}/segments", json=item, done={201}, again=[400])
        self.acknowledged.add(("flows/segments_added", self.flow_id, name))
        self.kept[number] = name

    async def _cut(self) -> None:
        """Deletes a few of the oldest segments."""
        if not self.kept:
            return
        start = min(self.kept)
        end = start + self._draw.randrange(1, 6)
        path = f"/flows/{self.flow_id}/segments?timerange=[{start}:0_{end}:0)"
        await self._client.change("DELETE", path, done={202, 204})
        self.kept = {number: name for number, name in self.kept.items() if number >= end}

    async def _label(self) -> None:
        value = f"label {self.done}"
        await self._client.change("PUT", f"/flows/{self.flow_id}/label", json=value, done={204})
        self.acknowledged.add(("flows/updated", self.flow_id, value))

    async def _tag(self) -> None:
        value = f"tag {self.done}"
        await self._client.change("PUT", f"/flows/{self.flow_id}/tags/step", json=value, done={204})
        self.acknowledged.add(("flows/updated", self.flow_id, value))

    async def _label_source(self) -> None:
        value = f"label {self.done}"
        await self._client.change("PUT", f"/sources/{self.source_id}/label", json=value, done={204})
        self.acknowledged.add(("sources/updated", self.source_id, value))

    async def _spare(self) -> None:
        """A flow of a source of its own that comes and goes."""
        flow_id, source_id = words.new_id(), words.new_id()
        await self._create(flow_id, source_id)
        await self._client.change("DELETE", f"/flows/{flow_id}", done={202, 204}, again=[404])
        self.acknowledged |= {("flows/deleted", flow_id, ""), ("sources/deleted", source_id, "")}

    async def _create(self, flow_id: str, source_id: str) -> None:
        body = words.video_flow(flow_id, source_id)
        await self._client.change("PUT", f"/flows/{flow_id}", json=body, done={201}, again=[204])
        self.acknowledged |= {("flows/created", flow_id, ""), ("sources/created", source_id, "")}


def marks_of(event: Any) -> set[Mark]:  # noqa: ANN401 — a decoded event
    """What an event tells of; an update tells of the label and of the tag."""
    kind, body = event["event_type"], event["event"]
    if kind == "flows/segments_added":
        return {(kind, body["flow_id"], segment["object_id"]) for segment in body["segments"]}
    shown = body.get("flow") or body.get("source")
    if shown is None:
        return {(kind, body.get("flow_id") or body["source_id"], "")}
    if kind.endswith("/created"):
        return {(kind, shown["id"], "")}
    return {(kind, shown["id"], shown.get("label", "")), (kind, shown["id"], shown.get("tags", {}).get("step", ""))}
