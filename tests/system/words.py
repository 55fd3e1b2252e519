"""Builders with minimal valid payloads, and the steps that every story takes."""

import uuid
from typing import Any

from tests.system.api import Api

VIDEO = "urn:x-nmos:format:video"


def new_id() -> str:
    """A fresh id."""
    return str(uuid.uuid4())


def video_flow(flow_id: str, source_id: str, **more: object) -> dict[str, object]:
    """A video flow that may have segments."""
    body: dict[str, object] = {
        "id": flow_id,
        "source_id": source_id,
        "format": VIDEO,
        "codec": "video/h264",
        "container": "video/mp2t",
        "essence_parameters": {
            "frame_width": 640,
            "frame_height": 360,
            "frame_rate": {"numerator": 25, "denominator": 1},
        },
    }
    return body | more


def segment(object_id: str, start: int, *, end: int, **more: object) -> dict[str, object]:
    """A segment from `start` to `end` seconds."""
    return {"object_id": object_id, "timerange": f"[{start}:0_{end}:0)"} | more


async def make_flow(api: Api, **more: object) -> str:
    """A new video flow of a new source; its id."""
    flow_id = new_id()
    await api.put(f"/flows/{flow_id}", video_flow(flow_id, new_id(), **more), expect=201)
    return flow_id


async def allocate(api: Api, flow_id: str, *, count: int) -> list[Any]:
    """Fresh media objects for `flow_id`, as the store describes them."""
    answer = (await api.post(f"/flows/{flow_id}/storage", {"limit": count})).json()
    assert list(answer) == ["media_objects"]
    assert len(answer["media_objects"]) == count
    objects: list[Any] = answer["media_objects"]
    return objects


async def fill(api: Api, flow_id: str, *, count: int, seconds: int = 2, start: int = 0) -> list[str]:
    """Registers `count` contiguous segments in one request; their object ids."""
    ids = [item["object_id"] for item in await allocate(api, flow_id, count=count)]
    items = [segment(id_, start + n * seconds, end=start + (n + 1) * seconds) for n, id_ in enumerate(ids)]
    await api.post(f"/flows/{flow_id}/segments", items)
    return ids
