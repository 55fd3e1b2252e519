"""What the measured store holds: flows of known lengths, made through the public API."""

import random
import uuid
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from tams_bench.load import LoadError, connect, request, send_all
from tams_bench.processes import TOKEN

SEGMENT: Final = 2
"""Seconds per segment."""
BULK: Final = 300
SEED_BULK: Final = 1000


class Flow(msgspec.Struct, frozen=True):
    """A flow of `length` contiguous segments of 2 s from 0 on."""

    id: str
    length: int


def timerange(position: int) -> str:
    """The range of segment number `position`."""
    return f"[{position * SEGMENT}:0_{(position + 1) * SEGMENT}:0)"


async def call(port: int, method: str, *, path: str, json: object = None) -> bytes:
    """One request on a connection of its own; raises `LoadError` for a status of 400 or more."""
    connection = await connect(port)
    body = b"" if json is None else msgspec.json.encode(json)
    status, answer = await connection.exchange(request(method, path, token=TOKEN, body=body))
    connection.close()
    if status >= 400:
        raise LoadError(f"{method} {path}: {status} {answer[:500]!r}")
    return answer


async def make_flow(port: int) -> str:
    """A new video flow; its id."""
    flow = str(uuid.uuid4())
    body = {
        "id": flow,
        "source_id": str(uuid.uuid4()),
        "label": "bench",
        "format": "urn:x-nmos:format:video",
        "codec": "video/h264",
        "container": "video/mp2t",
        "essence_parameters": {
            "frame_width": 1920,
            "frame_height": 1080,
            "frame_rate": {"numerator": 25},
        },
    }
    await call(port, "PUT", path=f"/flows/{flow}", json=body)
    return flow


async def allocate(port: int, flow: str, *, count: int) -> list[str]:
    """Fresh object ids for `flow`."""
    ids: list[str] = []
    while len(ids) < count:
        body = {"limit": min(BULK, count - len(ids))}
        answer = msgspec.json.decode(await call(port, "POST", path=f"/flows/{flow}/storage", json=body))
        ids += [item["object_id"] for item in answer["media_objects"]]
    return ids


def bulk(flow: str, ids: Sequence[str], *, start: int) -> bytes:
    """The request that registers `ids` on `flow`, one segment each, from segment number `start` on."""
    items = [{"object_id": id_, "timerange": timerange(start + n)} for n, id_ in enumerate(ids)]
    return request("POST", f"/flows/{flow}/segments", token=TOKEN, body=msgspec.json.encode(items))


def single(flow: str, object_id: str, *, position: int) -> bytes:
    """The request that registers one object as segment number `position`."""
    body = msgspec.json.encode({"object_id": object_id, "timerange": timerange(position)})
    return request("POST", f"/flows/{flow}/segments", token=TOKEN, body=body)


async def seed(port: int, length: int) -> Flow:
    """A flow of `length` segments, each with a media object of its own as a live ingest makes them."""
    flow = await make_flow(port)
    for start in range(0, length, SEED_BULK):
        ids = await allocate(port, flow, count=min(SEED_BULK, length - start))
        await send_all(port, [bulk(flow, ids, start=start)], clients=1, expect=201)
    return Flow(flow, length)


def random_pages(flow: Flow, count: int, *, query: str, randomness: random.Random) -> list[bytes]:
    """Requests for pages of 30 segments that begin at random times of `flow`."""
    return [request("GET", path, token=TOKEN) for path in _paths(flow, count, query=query, randomness=randomness)]


def _paths(flow: Flow, count: int, *, query: str, randomness: random.Random) -> Iterator[str]:
    for _ in range(count):
        position = randomness.randrange(max(1, flow.length - 31))
        wanted = quote(f"[{position * SEGMENT}:0_", safe=":")
        yield f"/flows/{flow.id}/segments?limit=30&timerange={wanted}{query}"
