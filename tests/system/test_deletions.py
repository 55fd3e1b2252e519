"""Deletions that outlast their requests, through the gateway: in one process, and in one for each service."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from tams_common.clock import date_time, system_clock
from tests.common.eventually import eventually
from tests.conformance import rule
from tests.spec import Spec
from tests.system import processes, words
from tests.system.api import Api, escaped
from tests.system.assemblies import in_this_process

HASTY = {"TAMS_SEGMENTS_DELETE_BUDGET": "0", "TAMS_SEGMENTS_DELETE_BATCH": "3"}
REQUESTS = "/flow-delete-requests"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["memory", "processes"])
async def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A store that answers a DELETE after the first three segments."""
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield await stack.enter_async_context(in_this_process(HASTY))
            return
        data = tmp_path_factory.mktemp("store") / "data"
        children = await stack.enter_async_context(processes.every_service(data, environ=HASTY))
        yield await stack.enter_async_context(Api(children["api-gateway"][0].url, processes.TOKEN))


async def accepted(api: Api, path: str, *, spec: Spec) -> dict[str, Any]:
    """Deletes what is not done at once; the deletion request."""
    answer = await api.delete(path, expect=202)
    body: dict[str, Any] = answer.json()
    spec.schema("deletion-request").validate(body)
    assert answer.headers["Location"] == f"{api.url}{REQUESTS}/{body['id']}"
    assert (await api.get(answer.headers["Location"])).json()["id"] == body["id"]
    return body


async def done(api: Api, body: dict[str, Any]) -> dict[str, Any]:
    """The request once it is done."""

    path = f"{REQUESTS}/{body['id']}"

    async def is_done() -> bool:
        return bool((await api.get(path)).json()["status"] == "done")

    await eventually(is_done)
    found: dict[str, Any] = (await api.get(path)).json()
    return found


@rule("DEL-1", "DEL-5", "DEL-6", "FLW-42", "EVT-4")
async def test_the_id_of_a_flow_is_free_when_its_deletion_is_done(api: Api, spec: Spec) -> None:
    flow = await words.make_flow(api)
    ids = await words.fill(api, flow, count=40)
    source = (await api.get(f"/flows/{flow}")).json()["source_id"]
    body = await accepted(api, f"/flows/{flow}", spec=spec)
    assert (body["flow_id"], body["delete_flow"]) == (flow, True)
    assert body["created_by"]
    await api.get(f"/flows/{flow}", expect=404)
    await api.get(f"/sources/{source}", expect=404)
    assert (await api.get(f"/flows/{flow}/segments")).json() == []
    found = await done(api, body)
    spec.schema("deletion-request").validate(found)
    assert (found["timerange_to_delete"], found["timerange_remaining"]) == ("[0:0_80:0)", "()")
    await api.put(f"/flows/{flow}", words.video_flow(flow, source), expect=201)
    for id_ in ids:
        await api.get(f"/objects/{escaped(id_)}", expect=404)
    await words.fill(api, flow, count=2)
    assert len(await api.all(f"/flows/{flow}/segments")) == 2


@rule("DEL-7", "SEG-27", "SGD-3", "RET-5")
async def test_a_retention_loop_runs_beside_a_live_flow(api: Api, spec: Spec) -> None:
    flow = await words.make_flow(api)
    await words.fill(api, flow, count=20)
    body = await accepted(api, f"/flows/{flow}/segments?timerange={escaped('_30:0)')}", spec=spec)
    await words.fill(api, flow, count=2, start=40)
    seen = [item["timerange"] for item in await api.all(f"/flows/{flow}/segments?accept_get_urls=")]
    assert seen == [f"[{at}:0_{at + 2}:0)" for at in range(30, 44, 2)]
    assert (await api.get(f"/flows/{flow}?include_timerange=true")).json()["timerange"] == "[30:0_44:0)"
    listed = (await api.get(f"{REQUESTS}?sort_by=created&limit=1")).json()
    assert [item["id"] for item in listed] == [body["id"]]
    await done(api, body)
    assert len(await api.all(f"/flows/{flow}/segments")) == 7

    async def told() -> bool:
        return flow in [item["id"] for item in await api.all(f"/flows?timerange={escaped('[43:0_')}")]

    await eventually(told)
    assert flow not in [item["id"] for item in await api.all(f"/flows?timerange={escaped('_29:0)')}")]


@rule("RET-5", "FLW-4", "FLW-20", "FLW-21")
async def test_a_retention_tool_finds_its_flows_and_accurate_times(api: Api) -> None:
    async def empty() -> bool:
        found = await api.all("/flows?tag_exists.flow_retention_offset=true&timerange=()")
        return flow in [item["id"] for item in found]

    began = date_time(system_clock())
    flow = await words.make_flow(api, tags={"flow_retention_offset": "60:0"})
    made = (await api.get(f"/flows/{flow}")).json()
    source = (await api.get(f"/sources/{made['source_id']}")).json()
    for moment in (made["created"], made["metadata_updated"], source["created"], source["updated"]):
        assert began <= moment <= date_time(system_clock())
    assert await empty()

    async def filled() -> bool:
        return "segments_updated" in (await api.get(f"/flows/{flow}")).json() and not await empty()

    began = date_time(system_clock())
    await words.fill(api, flow, count=2)
    await eventually(filled)
    shown = (await api.get(f"/flows/{flow}")).json()
    assert began <= shown["segments_updated"] <= date_time(system_clock())
    assert shown == made | {"segments_updated": shown["segments_updated"]}
    await api.delete(f"/flows/{flow}/segments?timerange={escaped('_4:0)')}")
    await eventually(empty)
