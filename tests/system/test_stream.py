"""The live stream as clients meet it: on every assembly, over real sockets, across a restart."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import get_args

import aiohttp
import pytest

from tams_webhooks.webhook import EventType
from tests.common.eventually import eventually
from tests.conformance import rule
from tests.spec import Spec
from tests.system import words
from tests.system.api import Api
from tests.system.processes import TOKEN, dev, every_service
from tests.webhooks.following import Follower

DRAIN = 15.0
"""Seconds, fewer than those for which an edge waits for requests that do not end."""
pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def following(
    url: str, query: str = "", *, headers: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[Follower, aiohttp.ClientResponse]]:
    """A follower of the store at `url`, with the token in the URL as browsers have to send it."""
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
        session.get(f"{url}/events?access_token={TOKEN}&{query}", headers=headers) as response,
    ):
        assert response.status == 200, await response.text()
        yield Follower(aiter(response.content.iter_any())), response


async def test_a_follower_sees_each_change_as_it_is_made(api: Api) -> None:
    async with following(api.url) as (follower, response):
        assert response.content_type == "text/event-stream"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Accel-Buffering"] == "no"
        await follower.hello()
        flow_id = await words.make_flow(api)
        created = {(await follower.event()).event for _ in range(2)}
        assert created == {"sources/created", "flows/created"}
        await words.fill(api, flow_id, count=3)
        added = await follower.event()
        assert added.event == "flows/segments_added"
        assert added.json()["event"]["flow_id"] == flow_id
        assert len(added.json()["event"]["segments"]) == 3
        await api.delete(f"/flows/{flow_id}")
        while (gone := await follower.event()).event != "flows/deleted":
            assert gone.number > added.number
    async with following(api.url, f"flow_id={flow_id}", headers={"Last-Event-ID": str(added.number)}) as (again, _):
        assert (await again.event()).data == gone.data


@rule("EVT-1", "EVT-2", "EVT-3", "EVT-4", "EVT-5", "EVT-6", "EVT-7", "EVT-8", "EVT-9", "EVT-13", "EVT-14", "EVT-19")
async def test_every_event_is_as_the_specification_has_it(memory_api: Api, spec: Spec) -> None:
    api = memory_api
    async with following(api.url) as (follower, _):
        await follower.hello()
        flow_id = await words.make_flow(api)
        source_id = (await api.get(f"/flows/{flow_id}")).json()["source_id"]
        sent = await follower.events(2)
        await api.put(f"/flows/{flow_id}/label", "other")
        sent += await follower.events(1)
        await api.put(f"/sources/{source_id}/label", "other")
        sent += await follower.events(1)
        await words.fill(api, flow_id, count=2)
        sent += await follower.events(1)
        await api.call("DELETE", f"/flows/{flow_id}/segments?timerange=[0:0_2:0)", expect=(202, 204))
        sent += await follower.events(1)
        await api.call("DELETE", f"/flows/{flow_id}", expect=(202, 204))
        while {"flows/deleted", "sources/deleted"} - {event.event for event in sent}:
            sent += await follower.events(1)
    assert {event.event for event in sent} == set(get_args(EventType))
    for event in sent:
        body = event.json()
        schema = f"#/webhooks/{event.event.replace('/', '~1')}/post/requestBody/content/application~1json/schema"
        spec.validator(schema).validate(body)
        assert body["event_type"] == event.event


async def test_only_readers_may_follow(api: Api) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{api.url}/events") as response:
        assert response.status == 401
    bad = await api.get("/events?type=nothing", expect=400)
    assert bad.json()["field"] == "type"
    head = await api.head("/events")
    assert head.headers["Content-Type"] == "text/event-stream"


async def open_streams(url: str) -> int:
    """How many clients follow the process at `url`."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as response:
        (line,) = [line for line in (await response.text()).splitlines() if line.startswith("tams_event_streams ")]
    return int(float(line.split()[1]))


async def nobody_follows(url: str) -> bool:
    return await open_streams(url) == 0


async def test_a_store_that_stops_ends_streams_and_its_successor_goes_on_with_them(tmp_path: Path) -> None:
    async with dev(tmp_path / "data") as child, Api(child.url, TOKEN) as api, following(child.url) as (follower, _):
        await follower.hello()
        await words.make_flow(api)
        last = (await follower.events(2))[-1]
        async with asyncio.timeout(DRAIN):
            assert await child.stop() == 0
        assert await follower.block() is None, "it ends between events"
    async with dev(tmp_path / "data") as child, Api(child.url, TOKEN) as api:
        await words.make_flow(api)
        async with following(child.url, headers={"Last-Event-ID": last.id}) as (follower, _):
            assert [event.number for event in await follower.events(2)] == [last.number + 1, last.number + 2]
            assert await open_streams(child.url) == 1
        await eventually(lambda: nobody_follows(child.url))


async def test_replicas_tell_the_same_and_stop_by_themselves(tmp_path: Path) -> None:
    async with every_service(tmp_path / "data", replicas=2) as children:
        gateways, webhooks = children["api-gateway"], children["webhooks"]
        async with (
            Api(gateways[0].url, TOKEN) as api,
            following(gateways[0].url) as (first, _),
            following(gateways[1].url) as (second, _),
        ):
            await asyncio.gather(first.hello(), second.hello())
            await words.make_flow(api)
            assert await first.events(2) == await second.events(2)
            async with asyncio.timeout(DRAIN):
                assert await gateways[1].stop() == 0
            assert await second.block() is None
            await eventually(lambda: nobody_follows(webhooks[1].url))
            async with asyncio.timeout(DRAIN):
                assert await webhooks[0].stop() == 0
            assert await first.block() is None


async def test_a_stream_that_is_cut_is_one_line_in_the_gateways_log(tmp_path: Path) -> None:
    async with every_service(tmp_path / "data") as children:
        (gateway,), (webhooks,) = children["api-gateway"], children["webhooks"]
        async with following(gateway.url) as (follower, _):
            await follower.hello()
            async with following(gateway.url) as (leaving, _):
                await leaving.hello()
            webhooks.kill()
            with pytest.raises(aiohttp.ClientPayloadError):
                await follower.event()

        def lines() -> list[str]:
            return [line for line in gateway.log.read_text().splitlines() if "broken off" in line]

        (line,) = await eventually(lines)
        assert "/events" in line
        assert TOKEN not in line
        assert "Traceback" not in gateway.log.read_text()
