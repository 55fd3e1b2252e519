"""Flows that take their technical metadata from a profile (PRF-14 to PRF-25, T-14 to T-16)."""

from typing import Any

import pytest

from tests.catalog.builders import (
    Body,
    audio,
    audio_profile,
    flow_id,
    from_profile,
    profile_id,
    source_id,
    video,
    video_profile,
)
from tests.catalog.conftest import House
from tests.conformance import rule
from tests.spec import Spec

FLOW = f"/flows/{flow_id(1)}"
TECHNICAL: Body = video_profile(1)["flow_metadata"]
OWN = {name: value for name, value in video().items() if name not in TECHNICAL}
DURATION = {"numerator": 4, "denominator": 1}
INHERITED: dict[str, tuple[object, object]] = {
    "format": (TECHNICAL["format"], "urn:x-nmos:format:audio"),
    "codec": (TECHNICAL["codec"], "video/h265"),
    "container": (TECHNICAL["container"], 5),
    "avg_bit_rate": (1000, -1),
    "segment_duration": (DURATION, {}),
    "container_mapping": ({"track_index": 1}, []),
    "essence_parameters": (TECHNICAL["essence_parameters"], None),
}


@pytest.fixture
async def profiled(house: House) -> House:
    """Profiles 1 (video) and 2 (stereo)."""
    for body in (video_profile(1, label="HD", tags={"profile": "yes"}), audio_profile(2)):
        await house.client.post(f"/service/profiles/{body['id']}", body)
    return house


@pytest.fixture
async def linked(profiled: House) -> House:
    """And flow 1, which is linked to the video profile."""
    await profiled.client.put(FLOW, from_profile(1, 1), expect=201)
    await profiled.forget_events()
    profiled.clock.advance(seconds=60)
    return profiled


async def _flow(house: House) -> Body:
    body: Body = (await house.client.get(FLOW)).json()
    return body


@rule("PRF-14", "PRF-10", "FLW-13", "FLW-14")
async def test_the_profile_fills_the_flow(profiled: House, spec: Spec) -> None:
    created = (await profiled.client.put(FLOW, from_profile(1, 1, label="x"), expect=201)).json()
    assert created.items() >= {**TECHNICAL, "profile_id": profile_id(1), "label": "x", "tags": {}}.items()
    spec.schema("flow-get").validate(created)
    assert await _flow(profiled) == created
    (told,) = [told for told in await profiled.staged() if told.type == "flows/created"]
    assert told.event == {"flow": created}


@rule("PRF-14", "FLW-14")
async def test_the_example_of_a_flow_from_a_profile(profiled: House, spec: Spec) -> None:
    body = spec.example("flow-put-profile") | {"profile_id": profile_id(2)}
    shown = (await profiled.client.put(f"/flows/{body['id']}", body, expect=201)).json()
    assert shown.items() >= body.items()


@rule("PRF-15")
@pytest.mark.parametrize("member", INHERITED)
async def test_nothing_that_a_profile_holds_stands_beside_it(linked: House, member: str) -> None:
    """Identical values and wrong types included, on creation and later."""
    for value in INHERITED[member]:
        answer = await linked.client.put(FLOW, from_profile(1, 1) | {member: value}, expect=400)
        assert member in answer.json()["detail"]
        await linked.client.put(f"/flows/{flow_id(9)}", from_profile(9, 9) | {member: value}, expect=400)
    await linked.client.put(FLOW, from_profile(1, 1) | TECHNICAL, expect=400)
    assert await linked.told() == []


@rule("PRF-16", "PRF-24", "FLW-9")
@pytest.mark.parametrize("profile", [profile_id(9), "x", profile_id(1).upper(), 5, None])
async def test_a_profile_that_does_not_exist_is_refused(profiled: House, profile: object) -> None:
    for body in (OWN | {"profile_id": profile}, video(profile_id=profile)):
        answer = await profiled.client.put(FLOW, body, expect=400)
        if "format" not in body:
            assert answer.json()["field"] == "$.profile_id"
    await profiled.client.get(FLOW, expect=404)


@rule("PRF-24", "FLW-45")
async def test_an_empty_profile_is_none_on_creation(profiled: House) -> None:
    """T-16."""
    await profiled.client.put(FLOW, OWN | {"profile_id": ""}, expect=400)
    shown = (await profiled.client.put(FLOW, video(profile_id=""), expect=201)).json()
    assert "profile_id" not in shown


@rule("PRF-17")
@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("label", "new"),
        ("description", "words"),
        ("tags", {"a": ["b"]}),
        ("generation", 2),
        ("status", "ingesting"),
        ("max_bit_rate", 9000),
    ],
)
async def test_the_common_members_are_the_flows_own(linked: House, member: str, value: object) -> None:
    before = await _flow(linked)
    await linked.client.put(FLOW, from_profile(1, 1) | {member: value})
    after = await _flow(linked)
    assert (after[member], after["profile_id"]) == (value, profile_id(1))
    assert after.items() >= TECHNICAL.items()
    assert after["metadata_version"] != before["metadata_version"]
    if member in ("label", "description", "max_bit_rate"):
        await linked.client.delete(f"{FLOW}/{member}")
        await linked.client.put(f"{FLOW}/{member}", value)
        assert (await _flow(linked))[member] == value


@rule("FLW-16")
async def test_a_put_without_a_profile_keeps_the_link(linked: House) -> None:
    """T-15: what GET shows, without `profile_id`."""
    body = {name: value for name, value in (await _flow(linked)).items() if name != "profile_id"}
    await linked.client.put(FLOW, body)
    assert await linked.told() == []
    await linked.client.put(FLOW, body | {"label": "new"})
    assert (await _flow(linked))["profile_id"] == profile_id(1)


@rule("PRF-18", "ERR-7")
@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"codec": "video/h265"}, "codec"),
        ({"container": "video/mp4"}, "container"),
        ({"container": None}, "container"),
        ({"avg_bit_rate": 5}, "avg_bit_rate"),
        ({"segment_duration": DURATION}, "segment_duration"),
        ({"container_mapping": {}}, "container_mapping"),
        ({"essence_parameters": {**TECHNICAL["essence_parameters"], "frame_width": 1}}, "essence_parameters"),
        ({"format": "urn:x-tam:format:image", "essence_parameters": {"frame_width": 1, "frame_height": 1}}, "format"),
    ],
)
async def test_what_comes_from_the_profile_cannot_be_changed(
    linked: House, change: dict[str, Any], member: str
) -> None:
    body = {name: value for name, value in {**OWN, **TECHNICAL, **change}.items() if value is not None}
    answer = await linked.client.put(FLOW, body, expect=400)
    assert answer.json()["field"] == f"$.{member}"
    assert "PRF-18" in answer.json()["message"]
    assert await linked.told() == []


@rule("PRF-19", "PRF-23", "SUB-8")
async def test_the_average_bit_rate_is_the_profiles(linked: House) -> None:
    path = f"{FLOW}/avg_bit_rate"
    assert (await linked.client.get(path)).json() is None
    answer = await linked.client.put(path, 4000, expect=400)
    assert answer.json()["field"] == "$.avg_bit_rate"
    await linked.client.delete(path, expect=400)
    await linked.client.put(FLOW, {**OWN, **TECHNICAL, "profile_id": ""})
    await linked.client.put(path, 4000)
    await linked.client.delete(path)


@rule("PRF-20", "PRF-21", "FLW-45")
async def test_an_empty_profile_takes_the_link_away(linked: House) -> None:
    body = {**OWN, **TECHNICAL, "codec": "video/h265", "profile_id": ""}
    await linked.client.put(FLOW, body)
    shown = await _flow(linked)
    assert "profile_id" not in shown
    assert shown["codec"] == "video/h265"
    assert (await linked.client.get(f"/flows?profile_id={profile_id(1)}")).json() == []
    assert await linked.told() == [("flows/updated", flow_id(1))]
    await linked.client.put(FLOW, {**OWN, **TECHNICAL})
    assert "profile_id" not in await _flow(linked)


@rule("PRF-20")
async def test_taking_the_link_away_alone_is_a_change(linked: House) -> None:
    before = await _flow(linked)
    await linked.client.put(FLOW, {**OWN, **TECHNICAL, "profile_id": ""})
    after = await _flow(linked)
    assert {name: value for name, value in before.items() if name not in ("profile_id", *_CHANGING)} == {
        name: value for name, value in after.items() if name not in _CHANGING
    }
    assert after["metadata_version"] != before["metadata_version"]


async def test_another_profile_takes_the_place_of_one(linked: House) -> None:
    await linked.client.post(f"/service/profiles/{profile_id(3)}", video_profile(3, codec="video/h265"))
    await linked.client.put(FLOW, from_profile(1, 1, profile=3))
    assert (await _flow(linked))["codec"] == "video/h265"
    await linked.client.put(FLOW, from_profile(1, 1, profile=2), expect=400)  # SRC-20


@rule("PRF-21", "GEN-14")
async def test_a_list_has_only_linked_flows(linked: House) -> None:
    await linked.client.put(f"/flows/{flow_id(2)}", video(2, 2), expect=201)
    await linked.client.put(f"/flows/{flow_id(3)}", from_profile(3, 3, profile=2), expect=201)
    for query, numbers in (("", [1]), ("&codec=video/h264", [1]), ("&codec=audio/aac", []), ("&label=x", [])):
        found = (await linked.client.get(f"/flows?profile_id={profile_id(1)}{query}")).json()
        assert [flow["id"] for flow in found] == [flow_id(number) for number in numbers]


class TestInherited:
    """PRF-25."""

    @rule("PRF-25", "FLW-2", "FLW-6")
    @pytest.mark.parametrize(
        "query",
        [
            "format=urn:x-nmos:format:video",
            "codec=video/h264",
            "frame_width=1920&frame_height=1080",
            "init_segments=false",
        ],
    )
    async def test_filters_match_it(self, linked: House, query: str) -> None:
        found = (await linked.client.get(f"/flows?{query}")).json()
        assert [flow["id"] for flow in found] == [flow_id(1)]

    @rule("PRF-25", "SRC-2", "SRC-20")
    async def test_the_source_takes_the_format_and_holds_to_it(self, linked: House) -> None:
        assert (await linked.client.get(f"/sources/{source_id(1)}")).json()["format"] == TECHNICAL["format"]
        await linked.client.put(f"/flows/{flow_id(2)}", audio(2, 1), expect=400)
        answer = await linked.client.put(f"/flows/{flow_id(2)}", from_profile(2, 1, profile=2), expect=400)
        assert "SRC-20" in answer.json()["message"]

    @rule("PRF-25", "FLW-36", "FLW-37")
    async def test_container_and_channels_count(self, linked: House) -> None:
        facts = (await linked.client.get(f"/internal/flows/{flow_id(1)}/facts")).json()
        assert (facts["container"], facts["format"]) == (TECHNICAL["container"], TECHNICAL["format"])
        await linked.client.put(f"/flows/{flow_id(3)}", from_profile(3, 3, profile=2), expect=201)
        surround = audio(4, 3, essence_parameters={"sample_rate": 48000, "channels": 6})
        answer = await linked.client.put(f"/flows/{flow_id(4)}", surround, expect=400)
        assert "FLW-37" in answer.json()["message"]


_CHANGING = ("metadata_version", "metadata_updated")
