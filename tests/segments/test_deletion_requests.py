"""Deletions that outlast their DELETE: hidden at once, carried on by the worker, shown until they expire (DEL)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tams_common.ids import Incarnation
from tams_common.store import Query, Tx
from tams_segments.config import SegmentsConfig
from tams_segments.tables import DELETION_REQUESTS, HEADS, SEGMENTS
from tests.common.http_client import BASE_URL
from tests.conformance import rule
from tests.segments.rig import FACTS, FLOW, OTHER_FLOW, Rig, object_id, running, seconds, segment
from tests.spec import Spec

SEGMENTS_PATH = f"/flows/{FLOW}/segments"
DELETION = f"/internal/flows/{FLOW}/deletion"
REQUESTS = "/flow-delete-requests"


@asynccontextmanager
async def hasty(media: Path, **config: Any) -> AsyncIterator[Rig]:  # noqa: ANN401 — fields of SegmentsConfig
    """The service that waits for no deletion beyond its first two segments."""
    settings = SegmentsConfig(delete_budget=0, delete_batch=2, **config)
    async with running(media / "media", config=settings) as made:
        made.catalog.put(FLOW)
        yield made


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with hasty(tmp_path) as made:
        yield made


async def stored(rig: Rig, flow_id: str = FLOW) -> int:
    """How many segments are stored, seen or not."""
    rows = await rig.store.read(lambda tx: tx.scan(SEGMENTS, Query()))
    return sum(row.flow_id == flow_id for row in rows.rows)


async def extent(rig: Rig) -> str:
    return str((await rig.client.get(f"/internal/flows/{FLOW}/extent")).json()["timerange"])


async def request_of(rig: Rig, query: str = "") -> dict[str, Any]:
    """Deletes segments, which is not done at once."""
    answer = await rig.client.delete(f"{SEGMENTS_PATH}?{query}", expect=202)
    body: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{BASE_URL}{REQUESTS}/{body['id']}"
    return body


async def shown(rig: Rig, body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await rig.client.get(f"{REQUESTS}/{body['id']}")).json()
    return found


async def finish(rig: Rig) -> None:
    """Lets the worker do all that it can."""
    while await rig.worker.sweep():
        pass


async def spoil(rig: Rig, body: dict[str, Any]) -> None:
    """Makes a request one that cannot be done."""

    def write(tx: Tx) -> None:
        row = tx.get(DELETION_REQUESTS, (body["id"],))
        assert row is not None
        tx.update(DELETION_REQUESTS, [replace(row, facts=b"{")])

    await rig.store.run(write)


@rule("DEL-1", "DEL-2", "DEL-3", "DEL-4", "DEL-5", "SGD-3")
async def test_a_deletion_is_told_of_step_by_step(rig: Rig, spec: Spec) -> None:
    await rig.add(*seconds(*range(7)))
    body = await request_of(rig, "timerange=[1:0_")
    now = "2023-11-14T22:13:20Z"
    assert body == {
        "id": body["id"],
        "flow_id": FLOW,
        "timerange_to_delete": "[1:0_",
        "timerange_remaining": "[3:0_7:0)",
        "delete_flow": False,
        "status": "created",
        "created": now,
        "updated": now,
    }
    seen = [(body["status"], body["timerange_remaining"])]
    found = body
    while seen[-1][0] not in ("done", "error"):
        rig.clock.advance(seconds=1)
        await rig.worker.sweep()
        found = await shown(rig, body)
        spec.schema("deletion-request").validate(found)
        seen.append((found["status"], found["timerange_remaining"]))
    assert seen == [("created", "[3:0_7:0)"), ("started", "[5:0_7:0)"), ("done", "()")]
    assert found["expiry"] == "2023-11-15T22:13:22Z"
    assert await rig.timeranges() == seconds(0)
    told = [event["timerange"] for event in await rig.told("flows/segments_deleted")]
    assert told == ["[1:0_3:0)", "[3:0_5:0)", "[5:0_7:0)"]


@rule("SEG-27", "SGD-1")
async def test_what_is_to_be_deleted_is_hidden_at_once(rig: Rig) -> None:
    names = await rig.add(*seconds(*range(10)))
    await request_of(rig, "timerange=[2:5_8:5)")
    assert await stored(rig) == 8
    assert await rig.timeranges() == seconds(0, 1, 2, 8, 9)
    assert await rig.timeranges("reverse_order=true") == seconds(9, 8, 2, 1, 0)
    assert await rig.timeranges("timerange=[4:0_6:0)") == []
    assert await rig.timeranges("timerange=[7:0_8:1)") == seconds(8)
    assert await rig.timeranges(f"object_id={names[6]}") == []
    assert await rig.timeranges(f"object_id={names[8]}") == seconds(8)
    await request_of(rig)
    assert await rig.timeranges() == []
    assert await extent(rig) == "()"
    await finish(rig)
    assert await stored(rig) == 0


async def test_pages_go_on_over_what_is_hidden(rig: Rig) -> None:
    await rig.add(*seconds(*range(12)))
    await request_of(rig, "timerange=[3:0_9:0)")
    for reverse, expected in (("false", [0, 1, 2, 9, 10, 11]), ("true", [11, 10, 9, 2, 1, 0])):
        path, found = f"{SEGMENTS_PATH}?limit=2&accept_get_urls=&reverse_order={reverse}", list[str]()
        while path:
            answer = await rig.client.get(path)
            found += [item["timerange"] for item in answer.json()]
            path = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
        assert found == seconds(*expected)


async def test_the_extent_is_that_of_what_is_seen(rig: Rig) -> None:
    await rig.add(*seconds(*range(10)))
    await request_of(rig, "timerange=[6:0_")
    assert await extent(rig) == "[0:0_6:0)"
    await request_of(rig, "timerange=_3:0)")
    assert await extent(rig) == "[3:0_6:0)"
    await finish(rig)
    assert await extent(rig) == "[3:0_6:0)"
    assert await rig.timeranges() == seconds(3, 4, 5)


@rule("SGP-8", "SGP-25")
async def test_what_is_written_after_the_answer_stays(rig: Rig) -> None:
    await rig.add(*seconds(*range(8)))
    body = await request_of(rig)
    await rig.add("[4:0_4:5)", "[5:5_6:5)", "[20:0_21:0)")
    await rig.allocate(object_id(1))
    await rig.client.post(SEGMENTS_PATH, segment(object_id(1), "[5:7_5:8)"), expect=400)
    assert await rig.timeranges() == ["[4:0_4:5)", "[5:5_6:5)", "[20:0_21:0)"]
    assert await extent(rig) == "[4:0_21:0)"
    assert await rig.timeranges("timerange=[6:0_20:0)") == ["[5:5_6:5)"]
    await finish(rig)
    assert await stored(rig) == 3
    assert await rig.timeranges() == ["[4:0_4:5)", "[5:5_6:5)", "[20:0_21:0)"]
    assert (await shown(rig, body))["status"] == "done"
    told = [event["timerange"] for event in await rig.told("flows/segments_deleted")]
    assert told == ["[0:0_2:0)", "[4:0_5:0)", "[5:0_6:0)", "[6:0_7:0)", "[2:0_4:0)", "[7:0_8:0)"]


async def test_many_writers_displace_what_is_hidden_wherever_they_come(rig: Rig) -> None:
    await rig.add(*[f"[{at}:0_{at + 1}:0)" for at in range(3000)])
    await request_of(rig, "timerange=[10:0_")
    spread = [f"[{at}:500000000_{at}:600000000)" for at in range(12, 2990, 70)]
    await rig.add("[11:5_12:0)", *spread, "[2999:0_2999:1)")
    await rig.add("[2999:1_4000:0)")
    seen = [*seconds(*range(10)), "[11:5_12:0)", *spread, "[2999:0_2999:1)", "[2999:1_4000:0)"]
    assert await rig.timeranges() == seen
    told = [event["timerange"] for event in await rig.told("flows/segments_deleted")]
    assert told[1] == "[12:0_13:0)"
    assert told[-1] == "[2999:0_3000:0)"


@rule("SGP-13")
async def test_an_object_that_only_hidden_segments_use_can_be_used_again(rig: Rig) -> None:
    names = await rig.add(*seconds(*range(5)))
    await request_of(rig)
    await rig.client.post(SEGMENTS_PATH, segment(names[4], "[9:0_10:0)", ts_offset="5:0"))
    await finish(rig)
    assert (await rig.client.get(f"/objects/{names[4]}")).json()["referenced_by_flows"] == [FLOW]
    await rig.client.get(f"/objects/{names[3]}", expect=404)


@rule("SGD-2", "DEL-9")
async def test_segments_of_one_object_are_hidden_among_others(rig: Rig) -> None:
    (name,) = await rig.add("[0:0_1:0)")
    for at in range(2, 14, 2):
        await rig.client.post(SEGMENTS_PATH, segment(name, f"[{at}:0_{at + 1}:0)", ts_offset=f"{at}:0"))
    await rig.add(*seconds(1, 3, 5, 7))
    await request_of(rig, f"object_id={name}&timerange=[2:0_")
    assert await rig.timeranges() == seconds(0, 1, 3, 5, 7)
    assert await rig.timeranges("reverse_order=true") == seconds(7, 5, 3, 1, 0)
    assert await extent(rig) == "[0:0_8:0)"
    await rig.client.post(SEGMENTS_PATH, segment(name, "[8:0_9:0)", ts_offset="8:0"))
    await finish(rig)
    assert await rig.timeranges() == seconds(0, 1, 3, 5, 7, 8)
    assert await stored(rig) == 6


async def test_a_flow_has_sixteen_open_deletions_at_most(rig: Rig) -> None:
    await rig.add(*seconds(*range(60)))
    for at in range(0, 48, 3):
        await request_of(rig, f"timerange=[{at}:0_{at + 3}:0)")
    answer = await rig.client.delete(f"{SEGMENTS_PATH}?timerange=[48:0_", expect=503)
    assert answer.headers["retry-after"] == "5"
    assert await rig.timeranges() == seconds(*range(50, 60))
    await finish(rig)
    await request_of(rig, "timerange=[48:0_")
    await finish(rig)
    assert await rig.timeranges() == []


@rule("DEL-7", "SORT-5", "SORT-6", "SORT-7", "SORT-8", "PAG-1", "PAG-14")
async def test_requests_are_listed_latest_first(rig: Rig) -> None:
    await rig.add(*seconds(*range(12)))
    ids = []
    for at in (0, 3, 6):
        ids.append((await request_of(rig, f"timerange=[{at}:0_{at + 3}:0)"))["id"])
        rig.clock.advance(seconds=1)
    await rig.worker.sweep()
    rig.clock.advance(seconds=1)
    ids.append((await request_of(rig, "timerange=[9:0_"))["id"])
    for query, expected in (
        ("", ids[::-1]),
        ("sort_by=created&reverse_order=true", ids),
    ):
        answer = await rig.client.get(f"{REQUESTS}?{query}")
        assert [item["id"] for item in answer.json()] == expected
    by_expiry = [item["id"] for item in (await rig.client.get(f"{REQUESTS}?sort_by=expiry")).json()]
    assert by_expiry[-1] == ids[-1]
    reverse = (await rig.client.get(f"{REQUESTS}?sort_by=expiry&reverse_order=true")).json()
    assert [item["id"] for item in reverse] == by_expiry[::-1]
    for query in ("", "sort_by=expiry&", "reverse_order=true&", "sort_by=expiry&reverse_order=true&"):
        whole = [item["id"] for item in (await rig.client.get(f"{REQUESTS}?{query}")).json()]
        path, found = f"{REQUESTS}?{query}limit=1", list[str]()
        while path:
            answer = await rig.client.get(path)
            assert (await rig.client.head(path)).headers["x-paging-count"] == "1"
            assert answer.headers["x-paging-reverse-order"] == str("reverse" in query).lower()
            found += [item["id"] for item in answer.json()]
            path = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
        assert found == whole
    await rig.client.get(f"{REQUESTS}?sort_by=updated", expect=400)


@rule("DEL-8", "GEN-5")
async def test_requests_expire(rig: Rig) -> None:
    await rig.add(*seconds(*range(3)))
    body = await request_of(rig)
    await rig.client.head(f"{REQUESTS}/{body['id']}")
    rig.clock.advance(seconds=48 * 3600)
    assert (await shown(rig, body))["status"] == "created"
    await finish(rig)
    rig.clock.advance(seconds=24 * 3600 - 1)
    assert (await shown(rig, body))["status"] == "done"
    rig.clock.advance(seconds=1)
    await rig.client.get(f"{REQUESTS}/{body['id']}", expect=404)
    assert (await rig.client.get(REQUESTS)).json() == []
    await rig.worker.sweep()
    assert (await rig.store.read(lambda tx: tx.scan(DELETION_REQUESTS, Query()))).rows == []
    for name in ("x", "a%2Fb%20c", "%C3%A9", "9f0187c1-419c-44d2-8269-e869ba409462"):
        await rig.client.get(f"{REQUESTS}/{name}", expect=404)


@rule("DEL-5", "DEL-6")
async def test_a_flow_is_deleted_by_the_worker_when_it_takes_long(rig: Rig, spec: Spec) -> None:
    await rig.add(*seconds(*range(7)))
    deletion = {"incarnation": FACTS.incarnation}
    answer = await rig.client.put(DELETION, deletion, expect=202)
    body = answer.json()
    assert answer.headers["location"] == f"{BASE_URL}{REQUESTS}/{body['id']}"
    assert (body["timerange_to_delete"], body["timerange_remaining"]) == ("[0:0_7:0)", "[2:0_7:0)")
    assert (body["delete_flow"], body["status"]) == (True, "created")
    assert (await rig.client.put(DELETION, deletion, expect=202)).json() == body
    assert (await rig.timeranges(), await extent(rig)) == ([], "()")
    await rig.worker.sweep()
    found = await shown(rig, body)
    spec.schema("deletion-request").validate(found)
    assert (found["status"], found["timerange_remaining"]) == ("started", "[4:0_7:0)")
    await finish(rig)
    found = await shown(rig, body)
    assert (found["status"], found["timerange_remaining"]) == ("done", "()")
    assert rig.catalog.let_go == [FACTS.incarnation]
    await rig.client.put(DELETION, deletion, expect=204)
    assert await stored(rig) == 0


async def test_a_flow_is_not_done_before_catalog_has_let_go_of_it(rig: Rig) -> None:
    await rig.add(*seconds(*range(5)))
    rig.catalog.is_down = True
    body = (await rig.client.put(DELETION, {"incarnation": FACTS.incarnation}, expect=202)).json()
    await finish(rig)
    found = await shown(rig, body)
    assert (found["status"], found["timerange_remaining"]) == ("started", "()")
    rig.catalog.is_down = False
    await finish(rig)
    assert (await shown(rig, body))["status"] == "done"


async def test_a_new_flow_of_the_same_id_is_not_touched(rig: Rig) -> None:
    await rig.add(*seconds(*range(5)))
    body = (await rig.client.put(DELETION, {"incarnation": FACTS.incarnation}, expect=202)).json()
    while (await shown(rig, body))["timerange_remaining"] != "()":
        await rig.worker.sweep()
    rig.catalog.put(FLOW, incarnation=Incarnation("second"))
    await rig.add(*seconds(0, 1, 2))
    await finish(rig)
    assert (await shown(rig, body))["status"] == "done"
    await rig.client.put(DELETION, {"incarnation": FACTS.incarnation}, expect=204)
    assert await rig.timeranges() == seconds(0, 1, 2)


async def test_the_deletion_of_a_flow_ends_those_of_its_ranges(rig: Rig) -> None:
    await rig.add(*seconds(*range(9)))
    part = await request_of(rig, "timerange=[2:0_")
    whole = (await rig.client.put(DELETION, {"incarnation": FACTS.incarnation}, expect=202)).json()
    await rig.worker.sweep()
    assert ((await shown(rig, part))["status"], (await shown(rig, whole))["status"]) == ("done", "started")
    await finish(rig)
    assert await stored(rig) == 0
    rig.catalog.put(FLOW, incarnation=Incarnation("second"))
    await rig.add(*seconds(3))
    assert await rig.timeranges() == seconds(3)


async def test_what_a_deletion_at_once_leaves_of_another_one_is_nothing(tmp_path: Path) -> None:
    async with running(tmp_path / "media", directory=tmp_path) as patient:
        patient.catalog.put(FLOW)
        await patient.add(*seconds(*range(9)))
        async with running(
            tmp_path / "media",
            directory=tmp_path,
            catalog=patient.catalog,
            config=SegmentsConfig(delete_budget=0, delete_batch=2),
        ) as rig:
            body = await request_of(rig, "timerange=[2:0_6:0)")
            await patient.client.delete(SEGMENTS_PATH)
            head = await rig.store.read(lambda tx: tx.get(HEADS, (FLOW,)))
            assert head is not None
            assert (head.count, head.hidden) == (0, b"")
            await finish(rig)
            assert (await shown(rig, body))["status"] == "done"


@rule("DEL-3", "DEL-10")
async def test_one_that_fails_says_so_and_holds_up_no_other(rig: Rig, spec: Spec) -> None:
    rig.catalog.put(OTHER_FLOW)
    await rig.add(*seconds(*range(5)))
    await rig.add(*seconds(*range(5)), flow_id=OTHER_FLOW)
    body = await request_of(rig)
    other = (await rig.client.delete(f"/flows/{OTHER_FLOW}/segments", expect=202)).json()

    await spoil(rig, body)
    await finish(rig)
    found = await shown(rig, body)
    spec.schema("deletion-request").validate(found)
    assert (found["status"], found["timerange_remaining"]) == ("error", "[2:0_5:0)")
    assert found["error"]["summary"].startswith("DecodeError")
    assert (await shown(rig, other))["status"] == "done"
    assert await rig.timeranges() == []
    assert await stored(rig) == 3
    again = await request_of(rig)
    assert again["timerange_remaining"]


async def test_what_one_that_failed_was_to_delete_stays_hidden_when_an_object_of_it_is_deleted(rig: Rig) -> None:
    await rig.add(*seconds(*range(10)))
    await rig.allocate("x")
    items = [segment("x", f"[{start}:0_{start + 1}:0)", ts_offset=f"{start}:0") for start in (-3, -2, -1, 20)]
    await rig.client.post(SEGMENTS_PATH, items)
    body = await request_of(rig, "timerange=[1:0_9:0)")
    await spoil(rig, body)
    await finish(rig)
    assert (await shown(rig, body))["status"] == "error"
    await request_of(rig, "object_id=x")
    assert await rig.timeranges() == seconds(0, 9)
    await finish(rig)
    assert await rig.timeranges() == seconds(0, 9)
