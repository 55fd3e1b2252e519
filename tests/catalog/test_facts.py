"""What segments is told of a flow on every write (ADR 0006)."""

from collections.abc import Awaitable, Callable

import pytest

from tests.catalog.builders import Body, audio, flow_id, multi, source_id, video
from tests.catalog.conftest import House
from tests.conformance import rule

PATH = f"/internal/flows/{flow_id(1)}/facts"


async def _facts(house: House) -> Body:
    answer = await house.client.get(PATH)
    body: Body = answer.json()
    assert answer.headers["etag"] == f'"{body["version"]}"'
    return body


async def test_they_say_what_a_write_has_to_know(house: House) -> None:
    essence = {**video()["essence_parameters"], "init_segments": True}
    await house.client.put(f"/flows/{flow_id(1)}", video(essence_parameters=essence), expect=201)
    await house.client.put(f"/flows/{flow_id(5)}", multi(5, 5, collects=(1,)), expect=201)
    facts = await _facts(house)
    assert facts.pop("version")
    assert facts.pop("incarnation")
    assert facts == {
        "source_id": source_id(1),
        "format": "urn:x-nmos:format:video",
        "container": "video/mp2t",
        "init_segments": True,
        "read_only": False,
        "flow_collected_by": [flow_id(5)],
        "source_collected_by": [source_id(5)],
    }


@rule("FLW-36")
async def test_a_flow_without_a_container_says_so(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(1)}", multi(1, 1), expect=201)
    assert (await _facts(house))["container"] is None


async def test_who_knows_the_version_is_told_nothing_more(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)
    version = (await _facts(house))["version"]
    known = await house.client.get(PATH, headers={"if-none-match": f'"{version}"'}, expect=304)
    assert known.body == b""
    await house.client.get(PATH, headers={"if-none-match": '"other"'})


async def test_there_are_none_of_a_flow_that_does_not_exist(house: House) -> None:
    await house.client.get(PATH, expect=404)
    await house.client.get(PATH, headers={"if-none-match": '"some"'}, expect=404)


async def _protect(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(1)}/read_only", True)


async def _relabel(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(1)}", video(label="new"))


async def _collect(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(5)}", multi(5, 5, collects=(1, 2)))


async def _collect_a_sibling(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(5)}", multi(5, 5, collects=(3,)))


async def _make_anew(house: House) -> None:
    await house.client.delete(f"/flows/{flow_id(1)}")
    await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)


@pytest.mark.parametrize("change", [_protect, _relabel, _collect, _collect_a_sibling, _make_anew])
async def test_the_version_moves_with_everything_in_them(
    house: House, change: Callable[[House], Awaitable[None]]
) -> None:
    """Also with what is not the flow's own: its collectors, and what collects its source by way of a sibling."""
    bodies = (video(1, 1), audio(2, 2), video(3, 1), multi(5, 5))
    for body in bodies:
        await house.client.put(f"/flows/{body['id']}", body, expect=201)
    before = await _facts(house)
    await change(house)
    after = await _facts(house)
    assert after["version"] != before["version"]


async def test_other_flows_leave_the_version_alone(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(1)}", video(1, 1), expect=201)
    before = await _facts(house)
    await house.client.put(f"/flows/{flow_id(3)}", video(3, 1), expect=201)
    await house.client.put(f"/flows/{flow_id(2)}", audio(2, 2), expect=201)
    assert await _facts(house) == before
