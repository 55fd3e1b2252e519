"""What all flows have in common, and bodies that name a profile (FLW-22 to FLW-24, COL-2, PRF-15, TAG-1)."""

from typing import Any

import pytest

from tams_common.errors import InvalidInput
from tams_common.http.codec import decode_json, encode_json
from tams_common.model.flow import FlowCommon, FlowLink, ProfileFlow
from tests.conformance import rule

FLOW = "f1000000-0000-4000-8000-000000000001"
SOURCE = "50000000-0000-4000-8000-000000000001"
PROFILE = "9f000000-0000-4000-8000-000000000001"
MINIMAL: dict[str, Any] = {"id": FLOW, "source_id": SOURCE}


def _read(**members: object) -> FlowCommon:
    return decode_json(encode_json(MINIMAL | members), FlowCommon)


@rule("GEN-4")
@pytest.mark.parametrize("member", ["id", "source_id"])
@pytest.mark.parametrize("value", ["", "1", FLOW.upper(), f"{FLOW}\n", FLOW.replace("-4000-", "-7000-"), 5, None])
def test_ids_are_uuids_in_lower_case(member: str, value: object) -> None:
    """GEN-4, T-40, T-45."""
    with pytest.raises(InvalidInput) as caught:
        _read(**{member: value})
    assert caught.value.field == f"$.{member}"


@rule("FLW-14")
@pytest.mark.parametrize("member", ["id", "source_id"])
def test_ids_are_required(member: str) -> None:
    """FLW-14."""
    with pytest.raises(InvalidInput) as caught:
        decode_json(encode_json({name: value for name, value in MINIMAL.items() if name != member}), FlowCommon)
    assert caught.value.field == f"$.{member}"


@rule("TAG-1", "TAG-9")
@pytest.mark.parametrize(
    "tags", [{}, {"a": ""}, {"a": "b"}, {"a": []}, {"a": ["b", "c"]}, {"": "x"}, {"auth_classes": []}]
)
def test_tags_are_strings_or_lists_of_strings(tags: dict[str, Any]) -> None:
    """TAG-1, TAG-9."""
    assert decode_json(encode_json(_read(tags=tags)), dict[str, Any])["tags"] == tags


@rule("TAG-1")
@pytest.mark.parametrize("tags", [None, [], "a", {"a": 1}, {"a": None}, {"a": {}}, {"a": ["b", 1]}, {"a": True}])
def test_other_tags_are_refused(tags: object) -> None:
    """TAG-1."""
    with pytest.raises(InvalidInput) as caught:
        _read(tags=tags)
    assert (caught.value.field or "").startswith("$.tags")


@rule("FLW-24")
def test_tags_left_out_are_none() -> None:
    """FLW-24."""
    assert _read().tags == {}


@rule("FLW-22", "FLW-23")
@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("label", 5),
        ("label", None),
        ("description", []),
        ("created_by", 1),
        ("updated_by", {}),
        ("metadata_version", 1),
        ("generation", -1),
        ("generation", 1.5),
        ("generation", True),
        ("status", "done"),
        ("status", None),
        ("read_only", "true"),
        ("read_only", 0),
        ("max_bit_rate", -1),
        ("max_bit_rate", 2**63),
        ("flow_collection", {}),
    ],
)
def test_bad_members_are_named(member: str, value: object) -> None:
    """FLW-22, FLW-23."""
    with pytest.raises(InvalidInput) as caught:
        _read(**{member: value})
    assert caught.value.field == f"$.{member}"


@rule("FLW-23")
@pytest.mark.parametrize("status", ["awaiting_content", "ingesting", "replication_in_progress", "closed_complete"])
def test_every_status_is_known(status: str) -> None:
    """FLW-23."""
    assert _read(status=status).status == status


@rule("COL-1", "COL-2", "COL-13")
def test_collections_keep_order_roles_and_mappings() -> None:
    """COL-1, COL-2, COL-13."""
    items: list[dict[str, Any]] = [
        {"id": SOURCE, "role": "any words"},
        {"id": FLOW},
        {"id": SOURCE, "container_mapping": {"track_index": 1}},
    ]
    assert decode_json(encode_json(_read(flow_collection=items)), dict[str, Any])["flow_collection"] == items


@rule("COL-2")
@pytest.mark.parametrize("item", [{}, {"id": "x"}, {"id": FLOW, "role": 1}, {"id": FLOW, "role": None}, FLOW])
def test_bad_members_of_a_collection_are_named(item: object) -> None:
    """COL-2."""
    with pytest.raises(InvalidInput) as caught:
        _read(flow_collection=[{"id": FLOW}, item])
    assert (caught.value.field or "").startswith("$.flow_collection[1]")


class TestProfiles:
    """PRF-15, PRF-24, T-14, T-16."""

    @rule("PRF-14")
    def test_a_flow_may_name_a_profile(self) -> None:
        body = encode_json(MINIMAL | {"profile_id": PROFILE, "label": "x", "max_bit_rate": 5})
        assert decode_json(body, FlowLink).profile_id == PROFILE
        assert decode_json(body, ProfileFlow).profile_id == PROFILE

    @rule("PRF-24")
    @pytest.mark.parametrize("profile", ["x", PROFILE.upper(), 5, None, f"{PROFILE}\n"])
    def test_a_profile_is_a_uuid_or_empty(self, profile: object) -> None:
        with pytest.raises(InvalidInput) as caught:
            decode_json(encode_json({"profile_id": profile}), FlowLink)
        assert caught.value.field == "$.profile_id"

    @rule("PRF-15")
    @pytest.mark.parametrize(
        "member",
        ["format", "codec", "container", "avg_bit_rate", "segment_duration", "container_mapping", "essence_parameters"],
    )
    @pytest.mark.parametrize("value", [None, 5, "urn:x-nmos:format:video", {}])
    def test_nothing_that_a_profile_holds_stands_beside_it(self, member: str, value: object) -> None:
        with pytest.raises(InvalidInput) as caught:
            decode_json(encode_json({"profile_id": PROFILE, member: value}), FlowLink)
        assert f"`{member}`" in caught.value.detail
        decode_json(encode_json({"profile_id": "", member: value}), FlowLink)
