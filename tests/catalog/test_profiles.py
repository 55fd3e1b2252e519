"""Profiles: made by POST, never changed, listed (PRF-1 to PRF-13)."""

from typing import Any

import pytest

from tests.catalog.builders import Body, audio_profile, image_profile, profile_id, video_profile
from tests.catalog.conftest import House
from tests.common.http_client import Answer
from tests.conformance import rule
from tests.spec import Spec

PATH = f"/service/profiles/{profile_id(1)}"


def _ids(answer: Answer) -> list[str]:
    return [item["id"] for item in answer.json()]


@rule("PRF-1", "PRF-9", "PRF-10", "PRF-11")
async def test_a_profile_is_made_and_shown(house: House) -> None:
    words: Body = {"label": "HD", "description": "50 Mbit/s", "tags": {"a": "b", "c": ["d", "e"]}}
    forged = {"created": "1999-01-01T00:00:00Z", "created_by": "someone"}
    answer = await house.client_of("ann").post(PATH, video_profile(1, **words, **forged))
    created = {"created": "2023-11-14T22:13:20Z", "created_by": "ann"}
    assert answer.json() == video_profile(1, **words, **created)
    assert (await house.client.get(PATH)).json() == answer.json()
    await house.client.head(PATH)


@rule("PRF-1", "PRF-12")
async def test_the_examples_of_profiles_are_kept_and_shown(house: House, spec: Spec) -> None:
    for number, name in enumerate((*spec.examples("profile-get-200*"), "profile-put")):
        body = spec.example(name) | {"id": profile_id(number)}
        await house.client.post(f"/service/profiles/{body['id']}", body)
        shown = (await house.client.get(f"/service/profiles/{body['id']}")).json()
        assert shown["flow_metadata"] == body["flow_metadata"], name
    for profile in (await house.client.get("/service/profiles")).json():
        spec.schema("profile").validate(profile)


@rule("PRF-2", "PRF-3", "PRF-22", "ERR-4")
async def test_a_profile_never_changes(house: House) -> None:
    await house.client.post(PATH, video_profile(1))
    before = (await house.client.get(PATH)).body
    for body in (video_profile(1), video_profile(1, label="other"), audio_profile(1)):
        answer = await house.client.post(PATH, body, expect=400)
        assert "already exist" in answer.json()["message"]
    for method in ("PUT", "PATCH", "DELETE"):
        answer = await house.client.send(method, PATH, body=b"{}", expect=405)
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert (await house.client.get(PATH)).body == before
    await house.client.send("POST", "/service/profiles", body=b"{}", expect=405)


@rule("PRF-4", "GEN-13")
@pytest.mark.parametrize("member", ["id", "flow_metadata"])
async def test_what_is_required(house: House, member: str) -> None:
    body = {name: value for name, value in video_profile(1).items() if name != member}
    answer = await house.client.post(PATH, body, expect=400)
    assert answer.json()["field"] == f"$.{member}"


@rule("PRF-5", "PRF-11", "GEN-4")
async def test_ids_of_path_and_body_agree(house: House) -> None:
    await house.client.post(PATH, video_profile(2), expect=404)
    await house.client.post("/service/profiles/no-uuid", video_profile(1), expect=404)
    for path in (PATH, "/service/profiles/no-uuid", PATH.upper()):
        await house.client.get(path, expect=404)
        await house.client.head(path, expect=404)


@rule("PRF-6", "PRF-8", "FLW-26", "FLW-28", "FLW-30", "FLW-32")
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"format": "urn:x-nmos:format:multi"}, "$.flow_metadata.format"),
        ({"format": None}, "$.flow_metadata.format"),
        ({"codec": None}, "$.flow_metadata.codec"),
        ({"codec": "h264"}, "$.flow_metadata.codec"),
        ({"essence_parameters": None}, "$.flow_metadata.essence_parameters"),
        ({"essence_parameters": {"frame_width": 1, "frame_height": 1}}, "$.flow_metadata.essence_parameters"),
        (
            {"essence_parameters": {"frame_width": 1, "frame_height": 1, "vfr": True, "smell": 1}},
            "$.flow_metadata.essence_parameters.smell",
        ),
        ({"codec": "video/raw"}, "$.flow_metadata"),
        ({"avg_bit_rate": -1}, "$.flow_metadata.avg_bit_rate"),
        ({"segment_duration": {"numerator": 0}}, "$.flow_metadata.segment_duration.numerator"),
    ],
)
async def test_bad_technical_metadata_is_refused(house: House, change: dict[str, Any], field: str) -> None:
    body = video_profile(1)
    body["flow_metadata"] = {
        name: value for name, value in (body["flow_metadata"] | change).items() if value is not None
    }
    answer = await house.client.post(PATH, body, expect=400)
    assert answer.json()["field"] == field
    await house.client.get(PATH, expect=404)


@rule("PRF-4", "PRF-10", "TAG-1")
@pytest.mark.parametrize(
    "members", [{"label": 5}, {"description": None}, {"tags": {"a": 1}}, {"tags": []}, {"created_by": 1}, {"id": "x"}]
)
async def test_bad_members_are_refused(house: House, members: dict[str, Any]) -> None:
    await house.client.post(PATH, video_profile(1) | members, expect=400)
    for body in (b"", b"[]", b"{"):
        await house.client.send("POST", PATH, body=body, expect=400)


@rule("PRF-7")
async def test_what_a_profile_may_hold(house: House) -> None:
    held = {"container": "video/mp4", "avg_bit_rate": 5, "segment_duration": {"numerator": 2, "denominator": 1}}
    body = video_profile(1)
    body["flow_metadata"] |= {**held, "container_mapping": {"track_index": 1}, "max_bit_rate": 9}
    shown = (await house.client.post(PATH, body)).json()["flow_metadata"]
    assert shown.items() >= {**held, "container_mapping": {"track_index": 1}}.items()


async def test_a_profile_beyond_the_size_limit_is_refused(house: House) -> None:
    answer = await house.client.post(PATH, video_profile(1, description="x" * 102_400), expect=400)
    assert "102400" in answer.json()["detail"]


class TestList:
    """PRF-12, PRF-13, SORT-12."""

    @pytest.fixture
    async def stocked(self, house: House) -> House:
        """Two video profiles, one of audio and one of images, made in this order."""
        made = (video_profile(1, label="a"), video_profile(2, codec="video/h265"), audio_profile(3, label="a"))
        for body in (*made, image_profile(4)):
            await house.client.post(f"/service/profiles/{body['id']}", body)
            house.clock.advance(seconds=1)
        return house

    @rule("PRF-12", "PRF-13", "GEN-14")
    @pytest.mark.parametrize(
        ("query", "numbers"),
        [
            ("", [4, 3, 2, 1]),
            ("format=urn:x-nmos:format:video", [2, 1]),
            ("format=urn:x-tam:format:image", [4]),
            ("format=urn:x-nmos:format:multi", []),
            ("codec=video/h264", [1]),
            ("codec=video%2Fh265", [2]),
            ("label=a", [3, 1]),
            ("label=A", []),
            ("label=a&format=urn:x-nmos:format:video&codec=video/h264", [1]),
            ("tag.x=y&unknown=1", [4, 3, 2, 1]),
        ],
    )
    async def test_filters(self, stocked: House, query: str, numbers: list[int]) -> None:
        answer = await stocked.client.get(f"/service/profiles?{query}")
        assert _ids(answer) == [profile_id(number) for number in numbers]
        head = await stocked.client.head(f"/service/profiles?{query}")
        assert head.headers["x-paging-limit"] == answer.headers["x-paging-limit"]

    @rule("PRF-12", "PAG-5", "PAG-18", "GEN-8")
    @pytest.mark.parametrize("query", ["format=video", "codec=h264", "limit=0", "limit=x", "page=foreign", "label=%ff"])
    async def test_bad_options(self, stocked: House, query: str) -> None:
        answer = await stocked.client.get(f"/service/profiles?{query}", expect=400)
        assert query.split("=")[0] in answer.json()["detail"]
        await stocked.client.head(f"/service/profiles?{query}", expect=400)

    @rule("PAG-1", "PAG-6", "PAG-7", "PAG-14", "SORT-12")
    async def test_pages_have_three_headers(self, stocked: House) -> None:
        seen: list[str] = []
        url = "/service/profiles?limit=3"
        while url:
            page = await stocked.client.get(url)
            names = {name for name in page.headers if name.startswith("x-paging")}
            url = page.headers.get("link", "").removeprefix("<").partition(">")[0]
            assert names == {"x-paging-limit"} | ({"x-paging-nextkey"} if url else set())
            seen += _ids(page)
        assert seen == [profile_id(number) for number in (4, 3, 2, 1)]
