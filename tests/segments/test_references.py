"""Which flows an object shows: each once, in pages, chosen by their tags, without those that are going (OBJ)."""

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from tams_common.bus.cloudevents import to_message
from tams_common.errors import InvalidInput
from tams_common.events import Draft, Subject, flow_created, flow_deleted, flow_updated, source_deleted
from tams_common.http.codec import encode_json
from tams_common.ids import EventId, FlowId, Incarnation, SourceId, new_id
from tams_common.inbox import Subscription
from tams_common.store import Reader
from tams_segments import flow_index
from tams_segments.config import SegmentsConfig
from tams_segments.reading import TakesLonger
from tams_segments.references import FlowPage, Wanted, flows_of
from tams_segments.tables import FLOWS, OBJECTS
from tests.common.eventually import eventually
from tests.conformance import rule
from tests.segments.rig import FLOW, SOURCE, Rig, object_id, running, segment

A, INIT = object_id(1), object_id(9)
OLD, NEW = Incarnation("old"), Incarnation("new")


def flow(number: int) -> FlowId:
    return FlowId(f"10000000-0000-4000-8000-{number:012}")


def subject(flow_id: FlowId, incarnation: Incarnation = NEW) -> Subject:
    return Subject(flow_id=flow_id, source_id=SourceId(SOURCE), incarnation=incarnation)


def told(flow_id: FlowId, tags: dict[str, Any] | None, *, incarnation: Incarnation = NEW) -> Draft:
    """A flow has been created with these tags."""
    body = {"id": flow_id, "source_id": SOURCE, "label": "x"} | ({} if tags is None else {"tags": tags})
    return flow_created(msgspec.json.encode(body), subject(flow_id, incarnation))


async def hear(rig: Rig, *drafts: Draft) -> None:
    """Applies events."""
    for envelope in [draft.seal(id=EventId(new_id()), at=rig.clock.now) for draft in drafts]:
        await rig.store.run(partial(flow_index.apply, envelope=envelope))


async def used_by(rig: Rig, *flows: FlowId) -> None:
    """Has flows use the object, each several times."""
    rig.catalog.put(flows[0])
    await rig.allocate(A, flow_id=flows[0])
    for flow_id in flows:
        rig.catalog.put(flow_id)
        items = [segment(A, f"[{at}:0_{at + 1}:0)", object_timerange="[0:0_9:0)") for at in range(3)]
        await rig.client.post(f"/flows/{flow_id}/segments", items)


async def shown(rig: Rig, query: str = "", *, name: str = A) -> list[str]:
    """The flows of an object, from all pages."""
    seen: list[str] = []
    path: str | None = f"/objects/{name}?{query}"
    while path:
        answer = await rig.client.get(path)
        seen += answer.json()["referenced_by_flows"]
        link = answer.headers.get("link")
        path = link.partition(">")[0].removeprefix("<") if link else None
    return seen


@rule("OBJ-11", "OBJ-3", "PAG-15")
@pytest.mark.parametrize("limit", [1, 3, 64, 65, 129, 130, 131])
async def test_many_flows_come_in_pages_and_each_once(rig: Rig, limit: int) -> None:
    flows = [flow(number) for number in range(130)]
    await used_by(rig, *flows)
    assert await shown(rig, f"limit={limit}") == flows
    first = await rig.client.get(f"/objects/{A}?limit={limit}")
    assert len(first.json()["referenced_by_flows"]) == min(limit, 130)
    assert first.headers["x-paging-limit"] == str(limit)


@rule("OBJ-10", "OBJ-11", "TAG-2", "TAG-4", "GEN-14")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("flow_tag.kind=news", [1, 2]),
        ("flow_tag.kind=news,sport", [1, 2, 3]),
        ("flow_tag.site=b", [2]),
        ("flow_tag.kind=news&flow_tag.site=a", [2]),
        ("flow_tag.kind=films", []),
        ("flow_tag.kind=", [4]),
        ("flow_tag_exists.site=true", [2]),
        ("flow_tag_exists.kind=false", [5]),
        ("flow_tag_exists.kind=true&flow_tag.site=a,b", [2]),
        (f"flow_tag.{quote('a=b|c')}={quote('x,y', safe='')}", [5]),
        ("tag.kind=news", [1, 2, 3, 4, 5, 6]),
    ],
)
async def test_flows_are_chosen_by_their_tags(rig: Rig, query: str, expected: list[int]) -> None:
    await used_by(rig, *(flow(number) for number in range(1, 7)))
    await hear(
        rig,
        told(flow(1), {"kind": "news"}),
        told(flow(2), {"kind": ["news", "live"], "site": ["a", "b"]}),
        told(flow(3), {"kind": "sport"}),
        told(flow(4), {"kind": ""}),
        told(flow(5), {"a=b|c": "x,y"}),
        told(flow(9), {"kind": "news"}),
    )
    assert await shown(rig, query) == [flow(number) for number in expected]


@rule("OBJ-10", "OBJ-11")
@pytest.mark.parametrize(
    ("query", "expected"), [("flow_tag.kind=news", [1, 2]), ("flow_tag_exists.kind=true", [1, 2, 3])]
)
async def test_what_is_chosen_comes_in_pages(rig: Rig, query: str, expected: list[int]) -> None:
    await used_by(rig, *(flow(number) for number in range(1, 5)))
    await hear(rig, *(told(flow(number), {"kind": "news" if number < 3 else "sport"}) for number in range(1, 4)))
    assert await shown(rig, f"{query}&limit=1") == [flow(number) for number in expected]


@rule("OBJ-14", "GEN-8")
@pytest.mark.parametrize(
    "query",
    [
        "flow_tag_exists.kind=yes",
        "flow_tag.kind=a,,b",
        "limit=x",
        "limit=0",
        "page=nonsense",
        "presigned=1",
        "accept_get_urls=,",
        "accept_storage_ids=a",
        "verbose_storage=2",
        "storage_backend_tag_exists.x=0",
    ],
)
async def test_bad_options_are_refused(rig: Rig, query: str) -> None:
    await used_by(rig, flow(1))
    await rig.client.get(f"/objects/{A}?{query}", expect=400)
    await rig.client.head(f"/objects/{A}?{query}", expect=400)


@rule("OBJ-10")
async def test_filters_pass_any_number_of_flows(rig: Rig) -> None:
    flows = [flow(number) for number in range(200)]
    await used_by(rig, *flows)
    await hear(rig, *(told(flow_id, {"kind": "news"} if at in (70, 199) else None) for at, flow_id in enumerate(flows)))
    assert await shown(rig, "flow_tag.kind=news&limit=1") == [flows[70], flows[199]]
    assert (await rig.client.get(f"/objects/{A}?flow_tag.kind=news&limit=2")).headers.get("link") is None


async def test_what_is_told_last_counts(rig: Rig) -> None:
    await used_by(rig, flow(1))
    await hear(rig, told(flow(1), {"kind": "news"}, incarnation=OLD))
    body = msgspec.json.encode({"id": flow(1), "source_id": SOURCE, "tags": {"kind": "sport"}})
    await hear(rig, flow_updated(body, subject(flow(1), OLD)))
    assert (await shown(rig, "flow_tag.kind=news"), await shown(rig, "flow_tag.kind=sport")) == ([], [flow(1)])
    await hear(rig, flow_deleted(subject(flow(1), OLD)), told(flow(1), {"kind": "news"}))
    assert await shown(rig, "flow_tag.kind=news") == [flow(1)]
    await hear(rig, flow_deleted(subject(flow(1), OLD)))
    assert await shown(rig, "flow_tag.kind=news") == [flow(1)]
    await hear(rig, flow_deleted(subject(flow(1))), flow_deleted(subject(flow(1))))
    assert await rig.store.read(lambda tx: tx.get(FLOWS, (flow(1),))) is None


async def test_events_come_by_the_bus(rig: Rig) -> None:
    await used_by(rig, flow(1))
    (events,) = (behaviour for behaviour in rig.built.behaviours if isinstance(behaviour, Subscription))
    running = asyncio.create_task(events.run())
    envelope = told(flow(1), {"kind": "news"}).seal(id=EventId(new_id()), at=rig.clock.now)
    assert not await rig.parts.bus.publish([to_message(envelope)])

    async def is_known() -> bool:
        return await shown(rig, "flow_tag.kind=news") == [flow(1)]

    await eventually(is_known)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_what_is_no_event_of_a_flow_cannot_be_applied(rig: Rig) -> None:
    for draft in (
        source_deleted(Subject(source_id=SourceId(SOURCE))),
        flow_deleted(Subject(flow_id=flow(1))),
        source_deleted(subject(flow(1))),
    ):
        with pytest.raises(InvalidInput):
            await hear(rig, draft)


@rule("OBJ-6", "OBJ-5", "OBJ-11")
async def test_init_objects_show_the_flows_of_their_media_objects(rig: Rig) -> None:
    flows = [flow(number) for number in range(70)]
    rig.catalog.put(flows[0])
    await rig.allocate(A, INIT, flow_id=flows[0])
    for flow_id in flows:
        rig.catalog.put(flow_id, init_segments=True)
        more = {"init_object_id": INIT} if flow_id == flows[0] else {}
        await rig.client.post(f"/flows/{flow_id}/segments", segment(A, "[0:0_1:0)", **more))
    assert await shown(rig, "limit=7", name=INIT) == flows
    await hear(rig, told(flows[3], {"kind": "news"}))
    assert await shown(rig, "flow_tag.kind=news", name=INIT) == [flows[3]]
    first = (await rig.client.get(f"/objects/{INIT}")).json()["first_referenced_by_flow"]
    assert first == flows[0]
    await rig.client.delete(f"/flows/{flows[5]}/segments")
    assert await shown(rig, name=INIT) == [flow_id for flow_id in flows if flow_id != flows[5]]


@rule("OBJ-12", "GEN-3")
async def test_objects_are_not_listed_or_changed(rig: Rig) -> None:
    rig.catalog.put(FLOW)
    await rig.client.get("/objects", expect=404)
    for method in ("PUT", "POST", "DELETE"):
        answer = await rig.client.send(method, f"/objects/{A}", body=b"{}", expect=405)
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


@rule("OBJ-11", "SEG-27")
async def test_references_that_are_being_deleted_are_not_shown(tmp_path: Path) -> None:
    hasty = SegmentsConfig(delete_budget=0, delete_batch=2)
    async with running(tmp_path, config=hasty) as rig:
        flows = [flow(number) for number in range(1, 4)]
        await used_by(rig, *flows)
        for flow_id in flows:
            await rig.add(*(f"[{at}:0_{at + 1}:0)" for at in range(10, 75)), flow_id=flow_id)
        await rig.client.delete(f"/flows/{flows[0]}/segments?timerange=[1:0_", expect=202)
        assert await shown(rig) == flows
        await rig.client.delete(f"/flows/{flows[0]}/segments?timerange=_1:0)", expect=204)
        assert await shown(rig) == flows[1:]
        await rig.client.delete(f"/flows/{flows[1]}/segments?timerange=[1:0_", expect=202)
        assert await shown(rig) == flows[1:]
        await rig.client.delete(f"/flows/{flows[1]}/segments?object_id={A}", expect=204)
        assert await shown(rig) == flows[2:]
        incarnation = {"incarnation": rig.catalog.flows[flows[2]].incarnation}
        await rig.client.send("PUT", f"/internal/flows/{flows[2]}/deletion", body=encode_json(incarnation), expect=202)
        assert await shown(rig) == []


async def test_what_takes_many_looks_is_not_done_where_others_wait_for_it(tmp_path: Path) -> None:
    async with running(tmp_path, config=SegmentsConfig(delete_budget=0, delete_batch=2)) as rig:
        flows = [flow(number) for number in range(1, 66)]
        await used_by(rig, *flows)

        async def looked(limit: int) -> list[str]:
            def look(tx: Reader) -> FlowPage:
                known = tx.get(OBJECTS, (A,))
                assert known is not None
                return flows_of(tx, known, wanted=Wanted(limit), patient=False)

            return list((await rig.store.read(look)).flows)

        assert await looked(3) == flows[:3]
        with pytest.raises(TakesLonger):
            await looked(1000)
        items = [segment(A, f"[{at}:0_{at + 1}:0)", ts_offset=f"{at}:0") for at in range(3, 100)]
        await rig.client.post(f"/flows/{flows[0]}/segments", items)
        await rig.client.delete(f"/flows/{flows[0]}/segments?timerange=_90:0)", expect=202)
        with pytest.raises(TakesLonger):
            await looked(3)
        assert await shown(rig) == flows
