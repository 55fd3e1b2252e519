"""Segments in events, with the webhook's transforms, are what GET shows with the same parameters (WHK-27 to WHK-29)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from tams_common.errors import Unavailable
from tams_common.http.app import ServiceApp
from tams_common.http.message import Request, Response
from tams_common.http.transport import MemoryTransport
from tams_webhooks.dressing import MOST, Dresser
from tams_webhooks.webhook import Webhook
from tests.common.http_client import BASE_URL
from tests.conformance import rule
from tests.segments import rig as segments_rig
from tests.segments.rig import FLOW, Rig, segment

BACKEND = "local"


class Counted:
    """The segments service and how often it was asked."""

    def __init__(self, rig: Rig) -> None:
        self._app = ServiceApp(rig.built.routes)
        self.requests: list[Request] = []

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        return await self._app(request)


class Event(msgspec.Struct, frozen=True):
    number: int
    type: str
    value: bytes


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with segments_rig.running(tmp_path / "media") as made:
        made.catalog.put(FLOW, init_segments=True)
        yield made


async def filled(rig: Rig) -> None:
    """A flow with an init object, an uncontrolled instance, and an object that two segments share."""
    await rig.allocate("own", "init", "shared")
    elsewhere = [{"url": "https://elsewhere.example/1", "label": "elsewhere"}]
    items = [
        segment("own", "[0:0_1:0)", init_object_id="init"),
        segment("shared", "[1:0_2:0)", object_timerange="[0:0_5:0)", init_object_id="init"),
        segment("shared", "[2:0_3:0)", ts_offset="1:0", init_object_id="init"),
        segment("away", "[3:0_4:0)", get_urls=elsewhere, init_object_id="init"),
    ]
    await rig.client.post(f"/flows/{FLOW}/segments", items)


async def logged(rig: Rig) -> list[Event]:
    """What webhooks has in its log."""
    return [Event(number, row.type, row.value) for number, row in enumerate(await rig.events(), 1)]


def webhook(**transforms: Any) -> Webhook:  # noqa: ANN401 — fields of Webhook
    return Webhook(url="http://r.test", events=("flows/segments_added",), **transforms)


def query_of(transforms: dict[str, Any]) -> str:
    """The parameters of GET that mean the same."""

    def text(value: object) -> str:
        return ",".join(value) if isinstance(value, tuple) else str(value).lower()

    return urlencode({name: text(value) for name, value in transforms.items()})


@rule("EVT-11", "WHK-27", "WHK-28", "WHK-29")
@pytest.mark.parametrize(
    "transforms",
    [
        {},
        {"accept_get_urls": ("elsewhere",)},
        {"accept_get_urls": ("elsewhere", "nowhere")},
        {"accept_get_urls": (), "include_object_timerange": True},
        {"presigned": True},
        {"presigned": False},
        {"verbose_storage": True},
        {"include_object_timerange": True},
        {"accept_storage_ids": ()},
        {"accept_storage_ids": ("00000000-0000-4000-8000-000000000000",)},
        {"accept_storage_ids": (BACKEND,), "verbose_storage": True, "include_object_timerange": True},
    ],
)
async def test_an_event_s_segments_are_those_of_get(rig: Rig, transforms: dict[str, Any]) -> None:
    if transforms.get("accept_storage_ids") == (BACKEND,):
        transforms = transforms | {"accept_storage_ids": (rig.objects.backend.id,)}
    await filled(rig)
    (event,) = await logged(rig)
    dresser = Dresser(MemoryTransport(Counted(rig)), public_url="")
    bodies = await dresser.bodies(webhook(**transforms), [event], base_url=BASE_URL)
    shown = (await rig.client.get(f"/flows/{FLOW}/segments?{query_of(transforms)}")).json()
    sent = msgspec.json.decode(bodies[event.number])
    assert sent["event"] == {"flow_id": FLOW, "segments": shown}
    assert sent | {"event": None} == msgspec.json.decode(event.value) | {"event": None}


@rule("EVT-12", "WHK-27")
async def test_without_urls_nobody_is_asked_and_the_event_is_sent_as_it_is(rig: Rig) -> None:  # WHK-27
    await filled(rig)
    counted = Counted(rig)
    events = await logged(rig)
    assert (
        await Dresser(MemoryTransport(counted), public_url="").bodies(
            webhook(accept_get_urls=()), events, base_url=BASE_URL
        )
        == {}
    )
    assert counted.requests == []
    shown = (await rig.client.get(f"/flows/{FLOW}/segments?accept_get_urls=")).json()
    assert msgspec.json.decode(events[0].value)["event"]["segments"] == shown


async def test_a_batch_of_events_is_one_question(rig: Rig) -> None:
    rig.catalog.put(FLOW, init_segments=False)
    for start in range(5):
        await rig.add(f"[{start}:0_{start + 1}:0)")
    await rig.client.delete(f"/flows/{FLOW}/segments?timerange=[0:0_1:0)")
    events = await logged(rig)
    counted = Counted(rig)
    bodies = await Dresser(MemoryTransport(counted), public_url="https://media.example/tams").bodies(
        webhook(), events, base_url=BASE_URL
    )
    assert list(bodies) == [1, 2, 3, 4, 5], "the deletion is sent as it stands in the log"
    assert len(counted.requests) == 1
    assert b'"url":"https://media.example/tams/media/' in bodies[2]


async def test_many_segments_are_asked_for_in_parts(rig: Rig) -> None:
    rig.catalog.put(FLOW, init_segments=False)
    await rig.allocate("one")
    items = [segment("one", f"[{n}:0_{n + 1}:0)", ts_offset=f"{n}:0") for n in range(MOST * 2)]
    await rig.client.post(f"/flows/{FLOW}/segments", items)
    events = await logged(rig)
    assert len(events) > 1
    counted = Counted(rig)
    bodies = await Dresser(MemoryTransport(counted), public_url="").bodies(webhook(), events, base_url=BASE_URL)
    assert 2 <= len(counted.requests) <= 4
    sent = [item for event in events for item in msgspec.json.decode(bodies[event.number])["event"]["segments"]]
    assert [item["timerange"] for item in sent] == [item["timerange"] for item in items]
    assert all(item["get_urls"] for item in sent)


async def test_an_object_that_is_gone_has_no_urls(rig: Rig) -> None:
    await filled(rig)
    events = await logged(rig)
    await rig.client.delete(f"/flows/{FLOW}/segments")
    bodies = await Dresser(MemoryTransport(Counted(rig)), public_url="").bodies(
        webhook(include_object_timerange=True), events, base_url=BASE_URL
    )
    for item in msgspec.json.decode(bodies[1])["event"]["segments"]:
        assert item["get_urls"] == []


async def test_segments_that_do_not_answer_are_told_apart() -> None:
    async def refuses(request: Request) -> Response:
        return Response(500)

    event = Event(
        1,
        "flows/segments_added",
        b'{"event_type":"flows/segments_added","event_timestamp":"","event":'
        b'{"flow_id":"x","segments":[{"object_id":"a"}]}}',
    )
    with pytest.raises(Unavailable, match="500"):
        await Dresser(MemoryTransport(refuses), public_url="").bodies(webhook(), [event], base_url=BASE_URL)
