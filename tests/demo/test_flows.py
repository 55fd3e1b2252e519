"""What is said of a clip is true, and said as the specification asks."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tams_demo.clip import Picture
from tams_demo.cutting import MediaObject
from tams_demo.flows import FlowBody, Ids, bit_rates, collecting_flow, track_flow
from tams_demo.segments import SegmentBody
from tests.demo.conftest import SECONDS, TARGET, Conforms


def ids(number: int) -> Ids:
    return Ids(UUID(int=number, version=4), UUID(int=number + 100, version=4))


def as_json(body: object) -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(body), type=dict[str, Any])


@pytest.fixture
def flows(tracks: list[list[MediaObject]]) -> list[FlowBody]:
    members = [track_flow(ids(n), objects, label="clip", target=TARGET) for n, objects in enumerate(tracks)]
    return [*members, collecting_flow(ids(9), members, label="clip")]


def test_flows_are_as_the_specification_asks(flows: Sequence[FlowBody], conforms: Conforms) -> None:
    for flow in flows:
        conforms("flow-put.json", as_json(flow))


def test_a_variable_rate_is_said_and_no_fixed_one(tracks: list[list[MediaObject]], conforms: Conforms) -> None:
    (first, *_), _ = tracks
    essence = first.piece.track.essence
    assert isinstance(essence, Picture)
    track = replace(first.piece.track, essence=replace(essence, rate=None))
    varying = replace(first, piece=replace(first.piece, track=track))
    body = as_json(track_flow(ids(1), [varying], label="clip", target=TARGET))
    conforms("flow-put.json", body)
    assert body["essence_parameters"]["vfr"] is True
    assert "frame_rate" not in body["essence_parameters"]


def test_the_video_flow_tells_what_the_pictures_are(flows: Sequence[FlowBody]) -> None:
    video = as_json(flows[0])
    parameters = video["essence_parameters"]
    assert (video["codec"], video["container"]) == ("video/h264", "video/mp2t")
    assert video["segment_duration"] == {"numerator": 2, "denominator": 1}
    assert parameters["frame_rate"] == {"numerator": 25, "denominator": 1}
    assert (parameters["frame_width"], parameters["frame_height"]) == (640, 360)
    assert parameters["aspect_ratio"] == {"numerator": 16, "denominator": 9}
    assert parameters["avc_parameters"] == {"profile": 100, "level": 30, "flags": 0}
    assert (parameters["interlace_mode"], parameters["colorspace"]) == ("progressive", "BT709")


def test_the_audio_flow_tells_what_the_sound_is(flows: Sequence[FlowBody]) -> None:
    audio = as_json(flows[1])
    assert (audio["codec"], audio["container"]) == ("audio/aac", "video/mp2t")
    assert audio["essence_parameters"] == {
        "sample_rate": 48000,
        "channels": 2,
        "codec_parameters": {"coded_frame_size": 1024, "mp4_oti": 2},
    }


def test_the_collection_holds_its_members_and_no_media(flows: Sequence[FlowBody]) -> None:
    collection = as_json(flows[2])
    assert "container" not in collection
    assert collection["flow_collection"] == [
        {"id": str(flows[0].id), "role": "video"},
        {"id": str(flows[1].id), "role": "audio"},
    ]


def test_segments_are_as_the_specification_asks(tracks: list[list[MediaObject]], conforms: Conforms) -> None:
    for objects in tracks:
        for media in objects:
            conforms("flow-segment-post.json", as_json(SegmentBody.of(media, "object", epoch=37 * 10**9)))


def test_a_segment_says_where_its_object_lies(tracks: list[list[MediaObject]]) -> None:
    video, audio = tracks
    assert SegmentBody.of(video[1], "v", epoch=100 * 10**9) == SegmentBody("v", "[102:0_104:0)", "90:0", 1)
    assert SegmentBody.of(audio[1], "a", epoch=0).timerange == "[2:5333333_4:10666667)"


def test_bit_rates_are_those_of_the_segments(tracks: list[list[MediaObject]]) -> None:
    video, _ = tracks
    average, peak = bit_rates(video, TARGET)
    assert average == sum(media.size for media in video) * 8 // (SECONDS * 1000)
    assert peak == max(media.size for media in video) * 8 // 2000


def test_the_peak_looks_at_runs_of_short_segments_too(tracks: list[list[MediaObject]]) -> None:
    model = tracks[0][0]
    quarter = Fraction(1, 4)

    def media(start: Fraction, size: int) -> MediaObject:
        return replace(model, piece=replace(model.piece, times=(start,), end=start + quarter), path=Path(), size=size)

    objects = [media(n * quarter, 1000 * (n in (4, 5))) for n in range(16)]
    average, peak = bit_rates(objects, TARGET)
    assert (average, peak) == (4, 16)
