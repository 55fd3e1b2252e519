"""Deleting flows: hidden at once, finished by the sweep (architecture 5, FLW-42 to FLW-44)."""

import asyncio

import pytest

from tams_catalog.sweep import Deletions
from tams_catalog.tables import COLLECTIONS, DELETIONS, FLOW_INDEX, FLOWS, SOURCE_INDEX, SOURCES
from tams_common.http.codec import encode_json
from tams_common.runtime.service import Behaviour
from tams_common.store import Query
from tams_common.store.table import AnyTable
from tests.catalog.builders import flow_id, multi, source_id, video
from tests.catalog.conftest import House
from tests.catalog.segments_stand_in import LOCATION, UNDER_WAY
from tests.common.eventually import eventually
from tests.conformance import rule


async def _incarnation(house: House) -> str:
    facts = (await house.client.get(f"/internal/flows/{flow_id(1)}/facts")).json()
    incarnation: str = facts["incarnation"]
    return incarnation


async def _rows(house: House) -> int:
    tables: tuple[AnyTable, ...] = (FLOWS, FLOW_INDEX, SOURCES, SOURCE_INDEX, COLLECTIONS, DELETIONS)
    return await house.store.read(
        lambda reader: sum(len(reader.select(table, table.key, query=Query()).rows) for table in tables)
    )


def _sweep(house: House) -> Behaviour:
    return house.built.behaviours[2]


@rule("FLW-42")
async def test_a_deletion_that_segments_does_at_once_leaves_nothing(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)
    incarnation = await _incarnation(house)
    await house.client.delete(f"/flows/{flow_id(1)}")
    assert house.segments.deletions == [(flow_id(1), incarnation)]
    assert await _rows(house) == 0
    await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)
    assert await _incarnation(house) != incarnation


@rule("DEL-1")
async def test_what_segments_has_yet_to_do_is_told_to_the_client(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)
    house.segments.deletion = 202
    answer = await house.client.delete(f"/flows/{flow_id(1)}", expect=202)
    assert (answer.headers["location"], answer.json()) == (LOCATION, UNDER_WAY)


async def test_segments_ends_a_deletion_and_no_other_creation_of_the_flow(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)
    deletion = {"incarnation": await _incarnation(house)}
    house.segments.deletion = 202
    await house.client.delete(f"/flows/{flow_id(1)}", expect=202)
    path = f"/internal/flows/{flow_id(1)}/deletion"
    await house.client.put(path, {"incarnation": "another"})
    await house.client.put(f"/flows/{flow_id(1)}", video(), expect=400)
    await house.client.put(path, deletion)
    await house.client.put(path, deletion)
    assert await _rows(house) == 0
    await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)
    await house.client.put(path, deletion)
    await house.client.get(f"/flows/{flow_id(1)}")


@rule("FLW-42", "FLW-43")
@pytest.mark.parametrize("status", [202, 500, 503])
async def test_while_segments_is_not_done_the_flow_is_hidden_and_its_id_taken(house: House, status: int) -> None:
    """T-70."""
    await house.client.put(f"/flows/{flow_id(1)}", video(1, 1), expect=201)
    await house.client.put(f"/flows/{flow_id(2)}", video(2, 2), expect=201)
    house.segments.deletion = status
    await house.client.delete(f"/flows/{flow_id(1)}", expect=202 if status == 202 else 204)
    for path in ("", "/read_only"):
        await house.client.get(f"/flows/{flow_id(1)}{path}", expect=404)
    await house.client.get(f"/internal/flows/{flow_id(1)}/facts", expect=404)
    await house.client.put(f"/flows/{flow_id(1)}/read_only", True, expect=404)
    await house.client.delete(f"/flows/{flow_id(1)}", expect=404)
    assert [flow["id"] for flow in (await house.client.get("/flows")).json()] == [flow_id(2)]
    assert [source["id"] for source in (await house.client.get("/sources")).json()] == [source_id(2)]
    answer = await house.client.put(f"/flows/{flow_id(1)}", video(1, 1), expect=400)
    assert "deleted" in answer.json()["detail"]
    await house.client.put(f"/flows/{flow_id(5)}", multi(5, 5, collects=(1,)), expect=400)


async def test_the_sweep_finishes_what_waits(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)
    house.segments.deletion = 503
    await house.client.delete(f"/flows/{flow_id(1)}")
    assert await house.told() == [
        ("flows/created", flow_id(1)),
        ("flows/deleted", flow_id(1)),
        ("sources/created", source_id(1)),
        ("sources/deleted", source_id(1)),
    ]
    sweep = asyncio.create_task(_sweep(house).run())
    await eventually(lambda: len(house.segments.deletions) > 3)
    assert await _rows(house) == 2
    house.segments.deletion = 204

    async def empty() -> bool:
        return await _rows(house) == 0

    gone: bool = await eventually(empty)
    assert gone
    sweep.cancel()
    await asyncio.gather(sweep, return_exceptions=True)
    assert len(set(house.segments.deletions)) == 1
    assert await house.told() == []


async def test_a_flow_and_its_source_can_be_made_anew_beside_a_pending_one(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(1)}", video(1, 1), expect=201)
    house.segments.deletion = 202
    await house.client.delete(f"/flows/{flow_id(1)}", expect=202)
    await house.client.put(f"/flows/{flow_id(2)}", video(2, 1), expect=201)
    await house.client.get(f"/sources/{source_id(1)}")


async def test_flows_deleted_side_by_side_leave_no_source_behind(house: House) -> None:
    """T-47."""
    numbers = range(1, 9)
    for number in numbers:
        await house.client.put(f"/flows/{flow_id(number)}", video(number, 1), expect=201)
    await asyncio.gather(*(house.client.delete(f"/flows/{flow_id(number)}") for number in numbers))
    assert await _rows(house) == 0


async def test_one_creation_of_many_asked_for_at_once(house: House) -> None:
    answers = await asyncio.gather(
        *(house.client.send("PUT", f"/flows/{flow_id(1)}", body=encode_json(video(label=str(n)))) for n in range(8))
    )
    assert sorted(answer.status for answer in answers) == [201] + [204] * 7


async def test_a_sweep_goes_through_more_than_one_batch(house: House) -> None:
    house.segments.deletion = 503
    numbers = range(230)
    for number in numbers:
        await house.client.put(f"/flows/{flow_id(number)}", video(number, 1), expect=201)
        await house.client.delete(f"/flows/{flow_id(number)}")
    house.segments.deletion = 204
    sweep = asyncio.create_task(_sweep(house).run())

    async def empty() -> bool:
        return await _rows(house) == 0

    gone: bool = await eventually(empty)
    assert gone
    sweep.cancel()
    await asyncio.gather(sweep, return_exceptions=True)


async def test_a_flow_that_cannot_be_deleted_holds_up_no_other(house: House) -> None:
    house.segments.deletion = 503
    for number in (1, 2, 3):
        await house.client.put(f"/flows/{flow_id(number)}", video(number), expect=201)
        await house.client.delete(f"/flows/{flow_id(number)}")
    house.segments.deletion, house.segments.fails = 204, {flow_id(1)}
    sweep = _sweep(house)
    assert isinstance(sweep, Deletions)
    for _ in range(2):
        await sweep.sweep()
    left = await house.store.read(lambda reader: reader.scan(DELETIONS, Query()).rows)
    assert [row.flow_id for row in left] == [flow_id(1)]
    house.segments.fails.clear()
    for _ in range(2):
        await sweep.sweep()
    assert await _rows(house) == 0
