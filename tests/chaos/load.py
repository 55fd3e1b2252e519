"""A mixed load on media: uploads, registrations, reuse, copies and deletions, of which a ledger keeps what was told."""

import asyncio
import hashlib
import itertools
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import aiohttp
from yarl import URL

from tests.chaos.acknowledged import Ledger, Media, Named, Request
from tests.system import words
from tests.system.processes import TOKEN

_AUTH = {"Authorization": f"Bearer {TOKEN}"}
_PATIENT = aiohttp.ClientTimeout(total=60)
SMALL = 20_000
"""Bytes of a media object that is copied by a single request."""
LARGE = range(17 << 20, 20 << 20)
"""Bytes of one that is copied in parts."""
_TRIES, _PAUSE = 600, 0.1
"""How often something is asked for, and how long (s) a client rests when it was cut off."""
_MOST = 20
"""Seconds that a deletion covers."""
_MANY = 200
"""Segments whose deletion takes a while."""
_BACK = 0.5
"""How often it is tried to add where something was deleted, or still is being."""
CUT_OFF = 0


class Answer(NamedTuple):
    """Status and decoded body; `CUT_OFF` where the connection broke, or the answer leaves open what happened."""

    status: int
    body: Any


class Client:
    """Talks to each of `gateways` in turn. An answer always comes: no kill may leave a client waiting."""

    def __init__(self, session: aiohttp.ClientSession, gateways: Sequence[str]) -> None:
        self._session = session
        self._gateways = itertools.cycle(gateways)

    async def once(self, method: str, path: str, *, json: object = None) -> Answer:
        """One try."""
        url = URL(f"{next(self._gateways)}{path}", encoded=True)
        try:
            async with self._session.request(method, url, json=json, headers=_AUTH, timeout=_PATIENT) as answer:
                if answer.status < 500:
                    return Answer(answer.status, await answer.json(content_type=None) if await answer.read() else None)
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
            pass
        await asyncio.sleep(_PAUSE)
        return Answer(CUT_OFF, None)

    async def call(self, method: str, path: str, *, json: object = None) -> Answer:
        """As many tries as it takes, of what may be repeated."""
        for _ in range(_TRIES):
            answer = await self.once(method, path, json=json)
            if answer.status != CUT_OFF:
                return answer
        raise AssertionError(f"{method} {path} is never answered")

    async def upload(self, put_url: dict[str, str], data: bytes) -> bool:
        """One try; an upload that breaks leaves its object to the collector."""
        headers = {"Content-Type": put_url["content-type"]}
        url = URL(put_url["url"], encoded=True)
        try:
            async with self._session.put(url, data=data, headers=headers, timeout=_PATIENT) as answer:
                assert answer.status == 200 or answer.status >= 500, await answer.text()
                return answer.status == 200
        except aiohttp.ClientConnectionError:
            return False

    async def download(self, url: str) -> bytes:
        """All bytes at a URL, while nothing is being killed."""
        async with self._session.get(URL(url, encoded=True), timeout=_PATIENT) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read()


class Editor:
    """Works on two flows that share media, one request after the other; `done` counts its steps."""

    STEPS = 8

    def __init__(self, client: Client, ledger: Ledger, *, draw: random.Random, places: Sequence[str]) -> None:
        self.done = 0
        self._client = client
        self._ledger = ledger
        self._draw = draw
        self._places = places
        self._flows = [words.new_id(), words.new_id()]
        self._deleted = set(self._flows)
        self._next = 0
        self._emptied: dict[str, int] = {}

    async def run(self, *, stop: asyncio.Event) -> None:
        """Takes each of its `STEPS` once, then any until `stop`."""
        steps: dict[Callable[[], Awaitable[object]], int] = {
            self._record: 30,
            self._record_many: 15,
            self._reuse: 15,
            self._copy: 25,
            self._delete: 8,
            self._delete_flow: 1,
            self._abandon: 5,
            self._look: 15,
        }
        ahead = list(steps)
        while not stop.is_set():
            for flow in list(self._deleted):
                await self.create(flow)
            if len(self._deleted) == len(self._flows):
                await asyncio.sleep(0.1)
            else:
                step = ahead.pop(0) if ahead else self._draw.choices(list(steps), list(steps.values()))[0]
                await step()
                self.done += 1

    async def is_whole(self) -> bool:
        """Creates what was deleted last; whether all flows are there."""
        for flow in list(self._deleted):
            await self.create(flow)
        return not self._deleted

    async def compare(self) -> None:
        """Holds all flows against what was told of them."""
        for flow in self._flows:
            await self._compare(flow)

    async def create(self, flow: str) -> None:
        """Creates a flow, again, unless it is still being deleted."""
        body = words.video_flow(flow, words.new_id())
        answer = await self._client.call("PUT", f"/flows/{flow}", json=body)
        assert answer.status in (201, 204, 400), answer
        if answer.status != 400:
            self._deleted.discard(flow)
            self._ledger.count("flows created", done=True)

    async def record_large(self) -> None:
        """Lets go of all, and records an object that is copied in parts, to every other backend. Kills come later."""
        for flow in self._flows:
            if flow in self._deleted:
                await self.create(flow)
            await self._delete_range(flow, start=0, end=self._next)
        flow = self._flows[0]
        (place,) = await self._allocate(flow, 1, home=self._draw.choice(self._places))
        name = place["object_id"]
        assert await self._put(place, self._draw.randbytes(self._draw.choice(LARGE)))
        assert await self._register(flow, [name]) == 201
        for target in self._places:
            await self._copy_to(name, target)

    async def delete_many(self) -> None:
        """Lets many segments use an object, and deletes all of them. Kills come later."""
        flow = self._flows[0]
        if flow in self._deleted:
            await self.create(flow)
        (place,) = await self._allocate(flow, 1, home=self._draw.choice(self._places))
        assert await self._put(place, self._draw.randbytes(SMALL))
        assert await self._register(flow, [place["object_id"]] * _MANY) == 201
        await self._delete_range(flow, start=0, end=self._next)

    async def _record(self) -> None:
        flow = self._flow()
        for place in await self._allocate(flow, 1, home=self._draw.choice(self._places)):
            if await self._put(place, self._draw.randbytes(SMALL)):
                assert await self._register(flow, [place["object_id"]]) in (201, CUT_OFF)

    async def _record_many(self) -> None:
        flow, names = self._flow(), list[str]()
        for place in await self._allocate(flow, 4, home=self._draw.choice(self._places)):
            if await self._put(place, self._draw.randbytes(SMALL)):
                names.append(place["object_id"])
        if names:
            assert await self._register(flow, [*names, *names]) in (201, CUT_OFF)

    async def _abandon(self) -> None:
        flow = self._flow()
        for place in (await self._allocate(flow, 2, home=self._draw.choice(self._places)))[1:]:
            await self._client.upload(place["put_url"], self._draw.randbytes(SMALL))

    async def _reuse(self) -> None:
        if name := self._object():
            wanted = (201, CUT_OFF) if self._ledger.is_held(name) else (201, 400, CUT_OFF)
            assert await self._register(self._flow(), [name] * self._draw.randrange(1, 6)) in wanted

    async def _copy(self) -> None:
        if name := self._object():
            await self._copy_to(name, self._draw.choice(self._places))

    async def _delete(self) -> None:
        start = self._draw.randrange(max(0, self._next - 3 * _MOST), max(1, self._next))
        end = min(start + self._draw.randrange(1, _MOST), self._next)
        await self._delete_range(self._flow(), start=start, end=end)

    async def _delete_flow(self) -> None:
        flow = self._flow()
        done = False
        while not done:
            answer = await self._client.once("DELETE", f"/flows/{flow}")
            assert answer.status in (202, 204, 404, CUT_OFF), answer
            done = answer.status != CUT_OFF
            self._deletes(answer, "flows deleted")
        request = Request(f"deletion of {flow}", adds=False, done=True)
        self._ledger.flows[flow].delete(request, start=0, end=self._next)
        self._deleted.add(flow)

    async def _look(self) -> None:
        await self._compare(self._flow())

    async def _compare(self, flow: str) -> None:
        path = f"/flows/{flow}/segments?limit=1000&accept_get_urls="
        answer = await self._client.call("GET", path)
        assert answer.status == 200, answer
        assert len(answer.body) < 1000, "more than a page, which need not be of one moment"
        self._ledger.flows[flow].compare([Named(one["object_id"], one["timerange"]) for one in answer.body])
        self._ledger.count("listings compared", done=True)

    async def _allocate(self, flow: str, count: int, *, home: str) -> list[Any]:
        answer = await self._client.once("POST", f"/flows/{flow}/storage", json={"limit": count, "storage_id": home})
        assert answer.status in (201, CUT_OFF), answer
        self._ledger.count("allocations", done=answer.status == 201)
        return [place | {"home": home} for place in answer.body["media_objects"]] if answer.status == 201 else []

    async def _put(self, place: Any, data: bytes) -> bool:  # noqa: ANN401 -- as the store describes it
        done = await self._client.upload(place["put_url"], data)
        self._ledger.count("uploads", done=done)
        if done:
            media = Media(hashlib.sha256(data).digest(), len(data), place["home"])
            self._ledger.media[place["object_id"]] = media
        return done

    async def _register(self, flow: str, names: Sequence[str]) -> int:
        """Uses objects one after the other, a second each, behind everything or where nothing is; the status."""
        start = self._emptied.get(flow, 0)
        if self._draw.random() < _BACK and self._ledger.flows[flow].is_free(start, end=start + len(names)):
            self._next = max(self._next, start + len(names))
        else:
            start, self._next = self._next, self._next + len(names)
        items = [words.segment(name, at, end=at + 1, ts_offset=f"{at}:0") for at, name in enumerate(names, start)]
        answer = await self._client.once("POST", f"/flows/{flow}/segments", json=items if len(items) > 1 else items[0])
        if answer.status in (201, CUT_OFF):
            request = Request(f"addition of {len(names)} at {start}", adds=True, done=answer.status == 201)
            added = [Named(name, str(item["timerange"])) for name, item in zip(names, items, strict=True)]
            self._ledger.flows[flow].add(added, request, start=start)
            self._ledger.count("bulk registrations" if len(names) > 1 else "registrations", done=request.done)
        return answer.status if answer.status != 200 else self._refused(answer.body, len(names))

    async def _copy_to(self, name: str, target: str) -> None:
        media = self._ledger.media[name]
        if target != media.home and target not in media.copies:
            answer = await self._client.once("POST", f"/objects/{name}/instances", json={"storage_id": target})
            wanted = (201, CUT_OFF) if self._ledger.is_held(name) else (201, 404, CUT_OFF)
            assert answer.status in wanted, answer
            if answer.status != 404:
                media.copies[target] = answer.status == 201
                self._ledger.count("copies asked for", done=answer.status == 201)

    async def _delete_range(self, flow: str, *, start: int, end: int) -> None:
        path = f"/flows/{flow}/segments?timerange=[{start}:0_{end}:0)"
        answer = await self._client.once("DELETE", path)
        assert answer.status in (202, 204, CUT_OFF), answer
        self._deletes(answer, "ranges deleted")
        self._emptied[flow] = start
        request = Request(f"deletion of {start} to {end}", adds=False, done=answer.status != CUT_OFF)
        self._ledger.flows[flow].delete(request, start=start, end=end)

    def _deletes(self, answer: Answer, kind: str) -> None:
        self._ledger.count(kind, done=answer.status != CUT_OFF)
        if answer.status == 202:
            self._ledger.deletions.add(answer.body["id"])

    def _refused(self, body: Any, count: int) -> int:  # noqa: ANN401 -- as the store describes it
        assert len(body["failed_segments"]) == count, f"one object was known and unknown at once: {body}"
        return 400

    def _flow(self) -> str:
        return self._draw.choice([flow for flow in self._flows if flow not in self._deleted])

    def _object(self) -> str | None:
        """An object that was uploaded, be it long gone."""
        mine = {named.object_id for flow in self._flows for named in self._ledger.flows[flow].entries}
        return self._draw.choice(sorted(mine)) if mine else None
