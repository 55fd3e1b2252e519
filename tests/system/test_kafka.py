"""The store while its Kafka is away: it takes writes as ever, and tells of them when Kafka is back."""

from contextlib import AsyncExitStack
from pathlib import Path

from tests.common.eventually import eventually
from tests.kafka import Kafka, new_prefix
from tests.system import processes, words
from tests.system.api import Api
from tests.system.processes import TOKEN


async def test_a_broker_that_dies_stops_no_write_and_loses_no_event(tmp_path: Path, kafka: Kafka) -> None:
    bus = kafka.url(prefix=new_prefix(), timeout=10)
    data = tmp_path / "data"
    async with processes.every_service(data, bus=bus) as children, Api(children["api-gateway"][0].url, TOKEN) as api:
        flows = [await words.make_flow(api)]

        async def heard_of(flow: str) -> bool:
            return "segments_updated" in (await api.get(f"/flows/{flow}")).json()

        await words.fill(api, flows[0], count=1)
        await eventually(lambda: heard_of(flows[0]))
        async with kafka.killed():
            for _ in range(3):
                flows.append(await words.make_flow(api))
                await words.fill(api, flows[-1], count=2)
            assert not any([await heard_of(flow) for flow in flows[1:]])
        for flow in flows:
            await eventually(lambda flow=flow: heard_of(flow))  # type: ignore[misc]
        assert all(child.process.returncode is None for started in children.values() for child in started)


async def test_a_store_that_starts_while_the_broker_is_away_takes_writes_and_tells_of_them_later(
    tmp_path: Path, kafka: Kafka
) -> None:
    bus = kafka.url(prefix=new_prefix(), timeout=10)
    async with AsyncExitStack() as stack:
        async with kafka.killed():
            children = await stack.enter_async_context(processes.every_service(tmp_path / "data", bus=bus))
            api = await stack.enter_async_context(Api(children["api-gateway"][0].url, TOKEN))
            stranger = await stack.enter_async_context(Api(children["segments"][0].url, ""))
            problem = (await stranger.get("/readyz", expect=503)).json()
            assert kafka.address in problem["detail"]
            flow = await words.make_flow(api)
            await words.fill(api, flow, count=1)

        async def heard_of() -> bool:
            return "segments_updated" in (await api.get(f"/flows/{flow}")).json()

        async def is_ready() -> bool:
            return (await stranger.call("GET", "/readyz", expect=(200, 503))).status == 200

        await eventually(is_ready)
        await eventually(heard_of)
        async with kafka.killed():
            assert await is_ready(), "an outage stops no write, so it takes nobody out of service"
        assert all(child.process.returncode is None for started in children.values() for child in started)
