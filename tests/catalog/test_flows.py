"""Creating, replacing and reading flows (FLW)."""

import pytest

from tests.catalog.builders import Body, audio, data, flow_id, image, multi, source_id, video
from tests.catalog.conftest import House
from tests.conformance import rule

NOW = "2023-11-14T22:13:20Z"
LATER = "2023-11-14T22:14:20Z"


@rule("FLW-10", "FLW-13", "FLW-20", "FLW-25")
@pytest.mark.parametrize("make", [video, audio, image, data, multi])
async def test_a_created_flow_is_answered_in_full_and_read_back(house: House, make: type[Body]) -> None:
    body = make()
    created = (await house.client.put(f"/flows/{body['id']}", body, expect=201)).json()
    assert created.items() >= body.items()
    assert created["created"] == created["metadata_updated"] == NOW
    assert created["tags"] == {}
    assert created["metadata_version"]
    assert (await house.client.get(f"/flows/{body['id']}")).json() == created


@rule("FLW-13", "FLW-16", "FLW-21", "GEN-11")
async def test_a_replaced_flow_is_answered_without_a_body(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(1)}", video(label="one", description="words"), expect=201)
    house.clock.advance(seconds=60)
    answer = await house.client.put(f"/flows/{flow_id(1)}", video(label="two"))
    assert answer.body == b""
    flow = (await house.client.get(f"/flows/{flow_id(1)}")).json()
    assert flow["label"] == "two"
    assert "description" not in flow  # FLW-16
    assert (flow["created"], flow["metadata_updated"]) == (NOW, LATER)


@rule("EVT-18", "FLW-21")
async def test_the_same_again_changes_nothing_and_tells_nobody(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)
    before = (await house.client.get(f"/flows/{flow_id(1)}")).body
    await house.forget_events()
    house.clock.advance(seconds=60)
    await house.client.put(f"/flows/{flow_id(1)}", video())
    assert (await house.client.get(f"/flows/{flow_id(1)}")).body == before
    assert await house.told() == []


@rule("FLW-18")
async def test_what_get_shows_can_be_put_back(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)
    flow = (await house.client.get(f"/flows/{flow_id(1)}")).json()
    await house.forget_events()
    await house.client.put(f"/flows/{flow_id(1)}", flow)
    assert await house.told() == []


@rule("FLW-17", "FLW-18")
@pytest.mark.parametrize(
    "member", ["timerange", "created", "metadata_updated", "segments_updated", "collected_by", "unknown"]
)
async def test_what_the_store_owns_is_passed_over_whatever_it_is(house: House, member: str) -> None:
    """FLW-17, FLW-18, FLW-28."""
    await house.client.put(f"/flows/{flow_id(1)}", video(**{member: 5}), expect=201)
    assert (await house.client.get(f"/flows/{flow_id(1)}")).json().get(member) != 5


class TestMetadataVersion:
    """FLW-20, T-79."""

    @rule("FLW-20")
    async def test_the_client_may_name_it_at_creation(self, house: House) -> None:
        await house.client.put(f"/flows/{flow_id(1)}", video(metadata_version="mine"), expect=201)
        assert await self._version(house) == "mine"

    @rule("FLW-20")
    async def test_it_changes_when_left_out_or_sent_back(self, house: House) -> None:
        await house.client.put(f"/flows/{flow_id(1)}", video(metadata_version="mine"), expect=201)
        await house.client.put(f"/flows/{flow_id(1)}", video(metadata_version="mine", label="a"))
        second = await self._version(house)
        await house.client.put(f"/flows/{flow_id(1)}", video(label="b"))
        assert len({"mine", second, await self._version(house)}) == 3

    @rule("FLW-20")
    async def test_a_new_one_from_the_client_is_taken(self, house: House) -> None:
        await house.client.put(f"/flows/{flow_id(1)}", video(metadata_version="one"), expect=201)
        await house.client.put(f"/flows/{flow_id(1)}", video(metadata_version="two", label="b"))
        assert await self._version(house) == "two"

    async def _version(self, house: House) -> str:
        version: str = (await house.client.get(f"/flows/{flow_id(1)}")).json()["metadata_version"]
        return version


@rule("FLW-19", "AUTH-19")
async def test_who_made_and_changed_a_flow_is_the_principal(house: House) -> None:
    """FLW-19, T-48."""
    forged: Body = {"created_by": "someone", "updated_by": "someone"}
    await house.client_of("ann").put(f"/flows/{flow_id(1)}", video(**forged), expect=201)
    await house.client_of("bob").put(f"/flows/{flow_id(1)}", video(label="b", **forged))
    flow = (await house.client.get(f"/flows/{flow_id(1)}")).json()
    assert (flow["created_by"], flow["updated_by"]) == ("ann", "bob")


@rule("FLW-10", "FLW-15", "GEN-4")
async def test_ids_of_path_and_body_agree(house: House) -> None:
    """FLW-15, T-82, GEN-4."""
    await house.client.put(f"/flows/{flow_id(2)}", video(1), expect=404)
    await house.client.put(f"/flows/{flow_id(1).upper()}", video(1), expect=404)
    await house.client.get("/flows/no-uuid", expect=404)
    await house.client.get(f"/flows/{flow_id(1)}", expect=404)
    await house.client.head(f"/flows/{flow_id(1)}", expect=404)


@rule("PRF-16", "FLW-45")
async def test_an_unknown_profile_is_refused(house: House) -> None:
    """PRF-16, T-16."""
    profile = {"id": flow_id(1), "source_id": source_id(1), "profile_id": source_id(9)}
    answer = await house.client.put(f"/flows/{flow_id(1)}", profile, expect=400)
    assert answer.json()["field"] == "$.profile_id"
    await house.client.put(f"/flows/{flow_id(1)}", video(profile_id=""), expect=201)
    assert "profile_id" not in (await house.client.get(f"/flows/{flow_id(1)}")).json()  # FLW-45


async def test_a_flow_beyond_the_size_limit_is_refused_whole(house: House) -> None:
    answer = await house.client.put(f"/flows/{flow_id(1)}", video(description="x" * 102_400), expect=400)
    assert "102400" in answer.json()["detail"]
    await house.client.get(f"/flows/{flow_id(1)}", expect=404)
    await house.client.get(f"/sources/{source_id(1)}", expect=404)
    assert await house.told() == []


class TestReadOnly:
    """FLW-40, FLW-41, SUB-6, SUB-7."""

    @rule("SUB-6", "GEN-12")
    async def test_it_is_false_until_set(self, house: House) -> None:
        await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)
        assert (await house.client.get(f"/flows/{flow_id(1)}/read_only")).json() is False
        await house.client.put(f"/flows/{flow_id(1)}/read_only", True)
        assert (await house.client.get(f"/flows/{flow_id(1)}/read_only")).json() is True
        assert (await house.client.get(f"/flows/{flow_id(1)}")).json()["read_only"] is True

    @rule("FLW-40", "FLW-41", "FLW-43", "SUB-7", "ERR-6")
    async def test_it_refuses_put_and_delete_but_can_be_taken_away(self, house: House) -> None:
        await house.client.put(f"/flows/{flow_id(1)}", video(read_only=True), expect=201)
        await house.client.put(f"/flows/{flow_id(1)}", video(read_only=False), expect=403)
        await house.client.delete(f"/flows/{flow_id(1)}", expect=403)
        await house.client.put(f"/flows/{flow_id(1)}/read_only", False)
        await house.client.delete(f"/flows/{flow_id(1)}")

    @rule("SUB-10", "EVT-14", "EVT-18")
    async def test_it_is_a_change_of_the_flow(self, house: House) -> None:
        await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)
        await house.forget_events()
        await house.client.put(f"/flows/{flow_id(1)}/read_only", True)
        assert await house.told() == [("flows/updated", flow_id(1))]
        await house.client.put(f"/flows/{flow_id(1)}/read_only", True)
        assert await house.told() == []

    @rule("SUB-6", "GEN-13")
    @pytest.mark.parametrize("body", ["true", 1, None, {}])
    async def test_it_is_a_boolean(self, house: House, body: object) -> None:
        await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)
        await house.client.put(f"/flows/{flow_id(1)}/read_only", body, expect=400)

    @rule("SUB-6")
    async def test_it_belongs_to_a_flow(self, house: House) -> None:
        await house.client.put(f"/flows/{flow_id(1)}/read_only", True, expect=404)
        await house.client.get(f"/flows/{flow_id(1)}/read_only", expect=404)


class TestTimerange:
    """FLW-10 to FLW-12, T-42, T-43."""

    @rule("FLW-10", "FLW-11", "FLW-12")
    async def test_it_is_shown_when_asked_for(self, house: House) -> None:
        await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)
        house.segments.extent = "[0:0_10:0)"
        assert "timerange" not in (await house.client.get(f"/flows/{flow_id(1)}")).json()
        flow = (await house.client.get(f"/flows/{flow_id(1)}?include_timerange=true")).json()
        assert flow["timerange"] == "[0:0_10:0)"
        await house.client.get(f"/flows/{flow_id(1)}?include_timerange=true&timerange=%5B1:0_2:0)")
        assert house.segments.ranges == ["timerange=_", "timerange=%5B1%3A0_2%3A0%29"]

    @rule("FLW-11", "GEN-7", "GEN-8")
    async def test_it_is_checked_even_if_not_asked_for(self, house: House) -> None:
        await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)
        await house.client.get(f"/flows/{flow_id(1)}?timerange=late", expect=400)
        await house.client.get(f"/flows/{flow_id(1)}?include_timerange=yes", expect=400)

    async def test_it_is_not_invented_while_segments_is_away(self, house: House) -> None:
        await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)
        house.segments.extent_status = 503
        await house.client.get(f"/flows/{flow_id(1)}?include_timerange=true", expect=503)
        await house.client.get(f"/flows/{flow_id(1)}")


@rule("GEN-13", "GEN-19")
async def test_a_missing_body_or_bad_json_is_a_400(house: House) -> None:
    for body in (b"", b"{", b"[]", b'"flow"', b"\xff", b"[" * 100_000, b'{"id": NaN}'):
        answer = await house.client.send("PUT", f"/flows/{flow_id(1)}", body=body, expect=400)
        assert answer.json()["field"] == "$"


@rule("EVT-17", "EVT-4")
async def test_the_moments_of_a_flows_events_rise_even_if_the_clock_stands_still(house: House) -> None:
    """Architecture 4.2."""
    await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)
    for number in range(5):
        await house.client.put(f"/flows/{flow_id(1)}", video(label=str(number)))
    house.clock.advance(seconds=-60)
    await house.client.delete(f"/flows/{flow_id(1)}")
    moments = {told.at: told.event for told in await house.staged() if told.key == flow_id(1)}
    assert len(moments) == 7
    in_order = [moments[at] for at in sorted(moments)]
    assert [event["flow"].get("label") for event in in_order[:-1]] == [None, "0", "1", "2", "3", "4"]
    assert in_order[-1] == {"flow_id": flow_id(1)}
