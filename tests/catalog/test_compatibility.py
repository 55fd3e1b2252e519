"""What flows of one source may not disagree about (COL-8, FLW-37, SRC-20)."""

from typing import Any

import pytest

from tests.catalog.builders import Body, audio, flow_id, multi, source_id, video
from tests.catalog.conftest import House
from tests.conformance import rule


def _items(*members: tuple[int, str | None]) -> list[Body]:
    """Members of a collection by number, each with its role."""
    return [{"id": flow_id(number)} | ({} if role is None else {"role": role}) for number, role in members]


def _collector(number: int, *members: tuple[int, str | None]) -> Body:
    return multi(number, 50, flow_collection=_items(*members))


@pytest.fixture
async def collected(house: House) -> House:
    """Flows 1 and 11 of source 1, 2 and 12 of source 2, 3 of source 3; flow 50 of source 50 collects 1 and 2."""
    for body in (video(1, 1), video(11, 1), audio(2, 2), audio(12, 2), video(3, 3)):
        await house.client.put(f"/flows/{body['id']}", body, expect=201)
    await house.client.put(f"/flows/{flow_id(50)}", _collector(50, (1, "video"), (2, "audio")), expect=201)
    await house.forget_events()
    return house


AGREEING: list[tuple[tuple[tuple[int, str | None], ...], list[int]]] = [
    (((11, "video"), (12, "audio")), [1, 2]),
    (((1, "video"), (2, "audio")), [1, 2]),
    (((11, None), (2, None)), [1, 2]),
    (((12, "audio"),), [1, 2]),
    (((11, "video"), (3, "other"), (12, "audio")), [1, 3, 2]),
    (((3, "video"), (11, "video")), [3, 1, 2]),
    (((12, "audio"), (3, None)), [1, 2, 3]),
    ((), [1, 2]),
]
OPPOSED: list[tuple[tuple[int, str | None], ...]] = [
    ((11, "audio"),),
    ((11, "Video"), (12, "audio")),
    ((12, "audio"), (11, "video")),
    ((2, None), (1, None)),
    ((12, "audio"), (3, "other"), (1, "video")),
]


@rule("COL-8", "FLW-37", "COL-7", "COL-13")
@pytest.mark.parametrize(("members", "order"), AGREEING)
async def test_another_flow_of_the_source_may_agree_or_add(
    collected: House, members: tuple[tuple[int, str | None], ...], order: list[int]
) -> None:
    """Its source then shows what both say, in the order of both."""
    await collected.client.put(f"/flows/{flow_id(51)}", _collector(51, *members), expect=201)
    shown = (await collected.client.get(f"/sources/{source_id(50)}")).json()["source_collection"]
    assert [item["id"] for item in shown] == [source_id(number) for number in order]
    assert {item["id"]: item.get("role") for item in shown}.items() >= {
        source_id(1): "video",
        source_id(2): "audio",
    }.items()


@rule("COL-2", "COL-7")
async def test_a_role_that_one_flow_gives_is_the_sources(collected: House) -> None:
    await collected.client.put(f"/flows/{flow_id(50)}", _collector(50, (1, None), (2, None)))
    await collected.client.put(f"/flows/{flow_id(51)}", _collector(51, (2, "audio")), expect=201)
    shown = (await collected.client.get(f"/sources/{source_id(50)}")).json()["source_collection"]
    assert shown == [{"id": source_id(1)}, {"id": source_id(2), "role": "audio"}]


@rule("COL-8", "FLW-37", "ERR-4")
@pytest.mark.parametrize("members", OPPOSED)
async def test_other_roles_and_another_order_are_refused(
    collected: House, members: tuple[tuple[int, str | None], ...]
) -> None:
    body = _collector(51, *members)
    answer = await collected.client.put(f"/flows/{flow_id(51)}", body, expect=400)
    assert answer.json()["field"] == "$.flow_collection"
    assert flow_id(50) in answer.json()["message"]
    await collected.client.get(f"/flows/{flow_id(51)}", expect=404)
    assert await collected.told() == []


@rule("COL-8", "COL-11", "FLW-37")
@pytest.mark.parametrize("members", OPPOSED)
async def test_the_collection_alone_is_held_to_it_too(
    collected: House, members: tuple[tuple[int, str | None], ...]
) -> None:
    await collected.client.put(f"/flows/{flow_id(51)}", _collector(51), expect=201)
    path = f"/flows/{flow_id(51)}/flow_collection"
    await collected.client.put(path, _items(*members), expect=400)
    assert (await collected.client.get(path)).json() == []
    await collected.client.put(path, _items((11, "video"), (12, "audio")))


@rule("COL-8")
async def test_a_flow_alone_may_say_what_it_likes(collected: House) -> None:
    """Other flows of its source collect nothing, and collections of other sources are none of its business."""
    await collected.client.put(f"/flows/{flow_id(50)}", _collector(50, (2, "sound"), (1, "picture"), (11, "proxy")))
    shown = (await collected.client.get(f"/sources/{source_id(50)}")).json()["source_collection"]
    assert shown == [{"id": source_id(2), "role": "sound"}, {"id": source_id(1), "role": "picture"}]
    other = multi(60, 60, flow_collection=_items((1, "video"), (2, "audio")))
    await collected.client.put(f"/flows/{flow_id(60)}", other, expect=201)


@rule("COL-8", "FLW-39")
async def test_who_moves_is_held_to_it(collected: House) -> None:
    """A collector that comes to the source, and a member whose place then stands for another source."""
    opposed = multi(60, 60, flow_collection=_items((2, "audio"), (1, "video")))
    await collected.client.put(f"/flows/{flow_id(60)}", opposed, expect=201)
    await collected.client.put(f"/flows/{flow_id(60)}", opposed | {"source_id": source_id(50)}, expect=400)
    await collected.client.put(f"/flows/{flow_id(51)}", _collector(51, (3, "other"), (11, "video")), expect=201)
    await collected.client.put(f"/flows/{flow_id(52)}", _collector(52, (3, "other")), expect=201)
    answer = await collected.client.put(f"/flows/{flow_id(3)}", video(3, 1), expect=400)
    assert "COL-8" in answer.json()["message"]
    assert (await collected.client.get(f"/flows/{flow_id(3)}")).json()["source_id"] == source_id(3)


@rule("SRC-20", "FLW-37", "FLW-38")
@pytest.mark.parametrize("number", [1, 2])
async def test_the_format_is_the_sources(collected: House, number: int) -> None:
    other: Body = audio(21, 1) if number == 1 else video(21, 2)
    answer = await collected.client.put(f"/flows/{flow_id(21)}", other, expect=400)
    assert answer.json()["field"] == "$.format"
    assert "SRC-20" in answer.json()["message"]


class TestChannels:
    """FLW-37: audio with another number of channels is other content."""

    def _audio(self, number: int, source: int, *, channels: int) -> dict[str, Any]:
        return audio(number, source, essence_parameters={"sample_rate": 48000, "channels": channels})

    @rule("FLW-37")
    async def test_flows_of_a_source_have_the_same(self, collected: House) -> None:
        answer = await collected.client.put(f"/flows/{flow_id(22)}", self._audio(22, 2, channels=6), expect=400)
        assert answer.json()["field"] == "$.essence_parameters.channels"
        await collected.client.put(f"/flows/{flow_id(12)}", self._audio(12, 2, channels=1), expect=400)
        await collected.client.put(f"/flows/{flow_id(22)}", self._audio(22, 2, channels=2), expect=201)
        await collected.client.put(f"/flows/{flow_id(23)}", self._audio(23, 23, channels=6), expect=201)
        await collected.client.put(f"/flows/{flow_id(23)}", self._audio(23, 2, channels=6), expect=400)

    @rule("FLW-38")
    async def test_the_only_flow_of_a_source_may_be_corrected(self, collected: House) -> None:
        await collected.client.put(f"/flows/{flow_id(23)}", self._audio(23, 23, channels=6), expect=201)
        await collected.client.put(f"/flows/{flow_id(23)}", self._audio(23, 23, channels=2))
        await collected.client.put(f"/flows/{flow_id(23)}", self._audio(23, 2, channels=2))
