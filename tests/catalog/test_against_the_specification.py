"""Bodies of flows as the specification's schemas see them: what they accept and what is answered (GEN-13)."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from tams_catalog.flow_body import parse_flow
from tams_common.errors import InvalidInput
from tams_common.http.codec import encode_json
from tams_common.model.flow import ProfileFlow
from tests.catalog.builders import Body, audio, data, flow_id, image, multi, source_id, video
from tests.catalog.conftest import House
from tests.conformance import rule
from tests.spec import Spec

RATIO = {"numerator": 16, "denominator": 9}
MAPPING = {
    "track_index": 0,
    "format_track_index": 0,
    "audio_track": {"channel_numbers": [0, 1], "channel_range": "0_1"},
    "mp2ts_container": {"pid": 256},
    "mxf_container": {"package_uid": "urn:uuid:6F000000-0000-4000-8000-000000000001", "track_id": 2},
    "isobmff_container": {"track_id": 1},
}
COMMON: Body = {
    "label": "label",
    "description": "description",
    "created_by": "ann",
    "updated_by": "bob",
    "tags": {"one": "a", "many": ["b", "c"]},
    "metadata_version": "1",
    "generation": 0,
    "status": "ingesting",
    "read_only": False,
    "max_bit_rate": 5000,
}
FULL: dict[str, Body] = {
    "video": video(
        **COMMON,
        avg_bit_rate=4000,
        segment_duration={"numerator": 2, "denominator": 1},
        essence_parameters={
            "frame_width": 1920,
            "frame_height": 1080,
            "bit_depth": 8,
            "interlace_mode": "progressive",
            "colorspace": "BT709",
            "transfer_characteristic": "SDR",
            "aspect_ratio": RATIO,
            "pixel_aspect_ratio": RATIO,
            "component_type": "YCbCr",
            "horiz_chroma_subs": 2,
            "vert_chroma_subs": 2,
            "unc_parameters": {"unc_type": "RGB"},
            "avc_parameters": {"profile": 100, "level": 31, "flags": 0},
            "frame_rate": {"numerator": 30000, "denominator": 1001},
            "vfr": False,
            "init_segments": False,
        },
    ),
    "audio": audio(
        essence_parameters={
            "sample_rate": 48000,
            "channels": 2,
            "bit_depth": 24,
            "codec_parameters": {"coded_frame_size": 1024, "mp4_oti": 2},
            "unc_parameters": {"unc_type": "planar"},
            "init_segments": True,
        },
    ),
    "image": image(essence_parameters={"frame_width": 320, "frame_height": 180, "aspect_ratio": RATIO}),
    "data": data(essence_parameters={"data_type": "urn:x:y", "init_segments": False}),
    "multi": multi(
        collects=(1,),
        container="video/mp2t",
        codec="a/b",
        container_mapping=MAPPING,
        essence_parameters={"init_segments": False},
    ),
}
SERVER_OWNED = {"created", "metadata_updated", "segments_updated", "timerange"}
REMOVED, EXTENDED = object(), object()
# No "video/raw" and no text that ends with a line break: there the schema's prose, and Python's `$`, say otherwise.
VALUES: tuple[object, ...] = (
    None,
    "",
    "text",
    "a/b",
    "1_2",
    "urn:x-nmos:format:audio",
    -1,
    0,
    1,
    1.5,
    True,
    False,
    [],
    {},
    [1],
    ["a"],
    {"a": 1},
)


@rule(
    "GEN-13",
    "FLW-14",
    "FLW-22",
    "FLW-23",
    "FLW-25",
    "FLW-26",
    "FLW-27",
    "FLW-28",
    "FLW-29",
    "FLW-30",
    "FLW-31",
    "FLW-33",
    "FLW-34",
    "FLW-35",
    "FLW-47",
    "COL-2",
    "TAG-1",
)
@pytest.mark.parametrize("name", FULL)
def test_a_full_body_with_anything_changed_is_accepted_as_the_schema_accepts_it(spec: Spec, name: str) -> None:
    """Every member in turn is replaced by every value, left out, or given a member of its own."""
    schema = spec.schema("flow-put")
    assert schema.is_valid(FULL[name])
    for path, body in _variants(FULL[name]):
        assert _accepts(body) == schema.is_valid(body), (path, body)


def _accepts(body: Body) -> bool:
    try:
        parse_flow(encode_json(body))
    except InvalidInput:
        return False
    return True


def _variants(body: Body) -> Iterator[tuple[str, Body]]:
    for path in _paths(body):
        for change in (*VALUES, REMOVED, EXTENDED):
            variant = deepcopy(body)
            parent: Any = variant
            for step in path[:-1]:
                parent = parent[step]
            if change is REMOVED:
                del parent[path[-1]]
            elif change is not EXTENDED:
                parent[path[-1]] = deepcopy(change)
            elif isinstance(parent[path[-1]], dict):
                parent[path[-1]]["extension"] = 1
            yield "/".join(map(str, path)), variant


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401
    if path:
        yield path
    steps: Any = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for step in steps:
        yield from _paths(value[step], (*path, step))


@rule("FLW-14", "FLW-26")
def test_every_example_of_a_flow_is_accepted(spec: Spec) -> None:
    names = [*spec.examples("flow-get-200-*"), *spec.examples("flow-put*")]
    for name in names:
        parsed = parse_flow(encode_json(spec.example(name)))
        assert isinstance(parsed, ProfileFlow) == (name == "flow-put-profile"), name


@rule("FLW-1", "FLW-13", "SRC-5", "SRC-8", "GEN-10")
@pytest.mark.parametrize("name", FULL)
async def test_what_is_answered_has_the_form_the_specification_gives_it(house: House, spec: Spec, name: str) -> None:
    await house.client.put(f"/flows/{flow_id(1)}", video(), expect=201)
    body = FULL[name] | {"id": flow_id(9), "source_id": source_id(9)}
    created = await house.client.put(f"/flows/{flow_id(9)}", body, expect=201)
    spec.schema("flow-get").validate(created.json())
    for flow in (await house.client.get("/flows")).json():
        spec.schema("flow-get").validate(flow)
    for source in (await house.client.get("/sources")).json():
        spec.schema("source").validate(source)


@rule("SVC-2")
async def test_the_service_has_the_form_the_specification_gives_it(house: House, spec: Spec) -> None:
    spec.schema("service").validate((await house.client.get("/service")).json())


@rule("FLW-13")
async def test_every_example_of_a_flow_can_be_stored(house: House, spec: Spec) -> None:
    """Examples share ids and name flows that are not there: each gets ids of its own and collects nothing (T-10)."""
    for number, name in enumerate(spec.examples("flow-get-200-*")):
        ids = {"id": flow_id(number), "source_id": source_id(number), "flow_collection": []}
        body = {key: value for key, value in spec.example(name).items() if not key.endswith("_by")} | ids
        await house.client.put(f"/flows/{flow_id(number)}", body, expect=201)
        stored = (await house.client.get(f"/flows/{flow_id(number)}")).json()
        shown = {key: stored.get(key) for key in body if key not in SERVER_OWNED}
        assert shown == {key: value for key, value in body.items() if key not in SERVER_OWNED}, name
