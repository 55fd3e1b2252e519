"""Technical metadata of the five formats: each rule with what it accepts and what it refuses (FLW-22 to FLW-35)."""

from typing import Any

import pytest

from tams_common.errors import InvalidInput
from tams_common.http.codec import decode_json, encode_json
from tams_common.model.technical import AudioTechnical, Technical, VideoTechnical, has_init_segments
from tams_common.model.values import AUDIO, DATA, IMAGE, MULTI, VIDEO
from tests.conformance import rule

Body = dict[str, Any]


def _read(body: Body) -> Technical:
    technical: Technical = decode_json(encode_json(body), Technical)
    return technical


def _refused(body: Body) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        _read(body)
    return caught.value


def video(codec: str = "video/h264", **essence: object) -> Body:
    size: Body = {"frame_width": 1920, "frame_height": 1080, "frame_rate": {"numerator": 25}}
    return {"format": VIDEO, "codec": codec, "essence_parameters": size | essence}


def audio(codec: str = "audio/aac", **essence: object) -> Body:
    return {"format": AUDIO, "codec": codec, "essence_parameters": {"sample_rate": 48000, "channels": 2} | essence}


def image(**essence: object) -> Body:
    size: Body = {"frame_width": 320, "frame_height": 180}
    return {"format": IMAGE, "codec": "image/jpeg", "essence_parameters": size | essence}


def without(body: Body, member: str) -> Body:
    return {name: value for name, value in body.items() if name != member}


class TestFormat:
    """FLW-25, FLW-26."""

    @rule("FLW-25")
    @pytest.mark.parametrize("format_", ["urn:x-nmos:format:image", "urn:x-nmos:format:Video", "video", ""])
    def test_only_the_five_formats_are_known(self, format_: str) -> None:
        assert _refused(video() | {"format": format_}).field == "$.format"

    @rule("FLW-14")
    def test_a_flow_has_a_format(self) -> None:
        assert _refused(without(video(), "format")).field == "$.format"

    @rule("FLW-26")
    @pytest.mark.parametrize("member", ["codec", "essence_parameters"])
    @pytest.mark.parametrize("body", [video(), audio(), image(), image() | {"format": DATA, "essence_parameters": {}}])
    def test_all_but_multi_need_codec_and_essence(self, body: Body, member: str) -> None:
        assert _refused(without(body, member)).field == f"$.{member}"

    @rule("FLW-34")
    def test_a_multi_flow_needs_nothing_else(self) -> None:
        """FLW-34."""
        _read({"format": MULTI})
        _read(
            {"format": MULTI, "codec": "a/b", "container": "video/mp2t", "essence_parameters": {"init_segments": True}}
        )


class TestCommonMembers:
    @rule("FLW-27")
    @pytest.mark.parametrize("member", ["codec", "container"])
    @pytest.mark.parametrize("text", ["", "video", "video/", "/h264", "a/b/c", "video/h 264", "video/h264\n", 5, None])
    def test_mime_types_are_two_parts(self, member: str, text: object) -> None:
        """FLW-27, T-40."""
        assert _refused(video() | {member: text}).field == f"$.{member}"

    @rule("FLW-27")
    @pytest.mark.parametrize("text", ["video/h264", "x/y", "application/vnd.foo+bar", "VIDEO/raw;x"])
    def test_loose_mime_types_are_kept(self, text: str) -> None:
        """T-9."""
        assert _read(video() | {"codec": text}).codec == text

    @rule("FLW-22")
    @pytest.mark.parametrize("value", [-1, 1.5, "5", True, None, 10**30])
    def test_bit_rates_are_whole_and_not_negative(self, value: object) -> None:
        """FLW-22."""
        assert _refused(video() | {"avg_bit_rate": value}).field == "$.avg_bit_rate"

    @rule("FLW-35")
    @pytest.mark.parametrize("value", [{}, {"numerator": 0}, {"numerator": 2, "denominator": 0}, {"denominator": 1}, 2])
    def test_segment_durations_are_positive(self, value: object) -> None:
        """FLW-35."""
        field = _refused(video() | {"segment_duration": value}).field
        assert field is not None
        assert field.startswith("$.segment_duration")

    @rule("FLW-28")
    def test_members_of_others_are_passed_over(self) -> None:
        """FLW-28."""
        assert _read(video() | {"id": 5, "unknown": {}}) == _read(video())


class TestVideo:
    """FLW-28 to FLW-30, FLW-32."""

    @rule("FLW-29")
    @pytest.mark.parametrize("member", ["frame_width", "frame_height"])
    def test_it_has_a_size(self, member: str) -> None:
        body = video()
        assert _refused(body | {"essence_parameters": without(body["essence_parameters"], member)}).field == (
            f"$.essence_parameters.{member}"
        )

    @rule("FLW-29", "FLW-28")
    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("frame_width", 0),
            ("frame_height", -1),
            ("bit_depth", 0),
            ("horiz_chroma_subs", 0),
            ("vert_chroma_subs", "2"),
            ("interlace_mode", "interlaced"),
            ("colorspace", "BT.709"),
            ("transfer_characteristic", "hlg"),
            ("component_type", "YUV"),
            ("vfr", 1),
            ("init_segments", "true"),
            ("unknown", 1),
        ],
    )
    def test_bad_members_are_named(self, member: str, value: object) -> None:
        essence: Body = {member: value}
        assert _refused(video(**essence)).field == f"$.essence_parameters.{member}"

    @rule("FLW-29")
    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("aspect_ratio", {"numerator": 16}),
            ("pixel_aspect_ratio", {"numerator": 1, "denominator": 0}),
            ("frame_rate", {"denominator": 1}),
            ("unc_parameters", {}),
            ("unc_parameters", {"unc_type": "yuyv"}),
            ("avc_parameters", {"profile": 100, "level": 31}),
        ],
    )
    def test_bad_parts_are_named(self, member: str, value: object) -> None:
        essence: Body = {member: value}
        field = _refused(video(**essence)).field
        assert field is not None
        assert field.startswith(f"$.essence_parameters.{member}.")

    @rule("FLW-30")
    def test_a_fixed_frame_rate_is_given_a_variable_one_is_not(self) -> None:
        """FLW-30."""
        rateless = without(video()["essence_parameters"], "frame_rate")
        for vfr in ({}, {"vfr": False}):
            assert "`frame_rate` must be set" in _refused(video() | {"essence_parameters": rateless | vfr}).detail
        assert "`frame_rate` must not be set" in _refused(video(vfr=True)).detail
        _read(video() | {"essence_parameters": rateless | {"vfr": True}})
        _read(video(vfr=False))

    @rule("FLW-32")
    @pytest.mark.parametrize(
        ("body", "named"),
        [
            (video("video/raw", unc_parameters={"unc_type": "RGB"}), "bit_depth"),
            (video("video/raw", bit_depth=8), "unc_parameters.unc_type"),
            (video("video/raw", bit_depth=8, unc_parameters={"unc_type": "v210"}), "horiz_chroma_subs"),
            (video(unc_parameters={"unc_type": "UYVY"}, horiz_chroma_subs=2), "vert_chroma_subs"),
        ],
    )
    def test_what_the_schema_only_says_in_prose_is_held(self, body: Body, named: str) -> None:
        """FLW-32, T-78."""
        detail = _refused(body).detail
        assert f"`essence_parameters.{named}`" in detail
        assert "FLW-32" in detail

    @rule("FLW-32")
    def test_raw_video_that_says_all_is_taken(self) -> None:
        subs: Body = {"horiz_chroma_subs": 2, "vert_chroma_subs": 1}
        assert isinstance(
            _read(video("video/raw", bit_depth=10, unc_parameters={"unc_type": "v210"}, **subs)), VideoTechnical
        )
        _read(video("video/raw", bit_depth=8, unc_parameters={"unc_type": "planar"}))


class TestAudio:
    """FLW-31, FLW-32."""

    @rule("FLW-31")
    @pytest.mark.parametrize("member", ["sample_rate", "channels"])
    @pytest.mark.parametrize("value", [0, -1, 1.5, None])
    def test_rate_and_channels_are_positive(self, member: str, value: object) -> None:
        essence: Body = {member: value}
        assert _refused(audio(**essence)).field == f"$.essence_parameters.{member}"

    @rule("FLW-32")
    @pytest.mark.parametrize(
        ("body", "named"),
        [
            (audio("audio/x-raw-int", unc_parameters={"unc_type": "planar"}), "bit_depth"),
            (audio("audio/x-raw-int", bit_depth=24), "unc_parameters.unc_type"),
            (audio("audio/x-raw-float", bit_depth=24, unc_parameters={"unc_type": "pairs"}), "bit_depth"),
            (audio("audio/x-raw-float", unc_parameters={"unc_type": "pairs"}), "bit_depth"),
            (audio("audio/x-raw-float", bit_depth=32), "unc_parameters.unc_type"),
        ],
    )
    def test_what_the_schema_only_says_in_prose_is_held(self, body: Body, named: str) -> None:
        detail = _refused(body).detail
        assert f"`essence_parameters.{named}`" in detail
        assert "FLW-32" in detail

    @rule("FLW-32")
    def test_raw_audio_that_says_all_is_taken(self) -> None:
        for codec, depth in (("audio/x-raw-int", 24), ("audio/x-raw-float", 32), ("audio/x-raw-float", 64)):
            body = audio(codec, bit_depth=depth, unc_parameters={"unc_type": "interleaved"})
            assert isinstance(_read(body), AudioTechnical)

    @rule("FLW-28")
    def test_unknown_members_are_refused(self) -> None:
        """FLW-28."""
        assert _refused(audio(frame_width=1)).field == "$.essence_parameters.frame_width"
        _read(audio(codec_parameters={"mp4_oti": 64, "unknown": 1}))


class TestOthers:
    """FLW-33, FLW-34."""

    @rule("FLW-33")
    def test_images_have_a_size_and_no_init_segments(self) -> None:
        _read(image(aspect_ratio={"numerator": 16, "denominator": 9}))
        assert _refused(image(init_segments=False)).field == "$.essence_parameters.init_segments"
        assert _refused(image(frame_width=0)).field == "$.essence_parameters.frame_width"

    @rule("FLW-33")
    def test_data_has_a_type_at_most(self) -> None:
        body: Body = {"format": DATA, "codec": "application/json"}
        _read(body | {"essence_parameters": {"data_type": "urn:x-tams:data:bounding-box", "init_segments": True}})
        assert _refused(body | {"essence_parameters": {"frame_width": 1}}).field == "$.essence_parameters.frame_width"

    @rule("FLW-34")
    def test_multi_has_init_segments_at_most(self) -> None:
        body: Body = {"format": MULTI, "essence_parameters": {"channels": 2}}
        assert _refused(body).field == "$.essence_parameters.channels"


@rule("FLW-47")
@pytest.mark.parametrize(
    ("mapping", "field"),
    [
        ({"track_index": -1}, "track_index"),
        ({"format_track_index": 1.5}, "format_track_index"),
        ({"audio_track": {"channel_numbers": []}}, "audio_track.channel_numbers"),
        ({"audio_track": {"channel_numbers": [0, -1]}}, "audio_track.channel_numbers"),
        ({"audio_track": {"channel_range": "0-1"}}, "audio_track.channel_range"),
        ({"audio_track": {"channel_range": "0_1\n"}}, "audio_track.channel_range"),
        ({"mp2ts_container": {"pid": "256"}}, "mp2ts_container.pid"),
        ({"mxf_container": {"track_id": 1.5}}, "mxf_container.track_id"),
        ({"mxf_container": {"package_uid": "urn:uuid:1"}}, "mxf_container.package_uid"),
        ({"isobmff_container": {"track_id": None}}, "isobmff_container.track_id"),
    ],
)
def test_bad_container_mappings_are_named(mapping: Body, field: str) -> None:
    """FLW-47."""
    found = _refused(video() | {"container_mapping": mapping}).field
    assert found is not None
    assert found.startswith(f"$.container_mapping.{field}")


@rule("FLW-47")
def test_good_container_mappings_are_kept() -> None:
    """FLW-47."""
    umid = "urn:smpte:umid:060a2b34.01010105.01010f20.13000000.d2c9036c.8f195343.ab7014d2.d718bfda"
    mapping: Body = {
        "track_index": 0,
        "audio_track": {"channel_numbers": [1, 0], "channel_range": "0_1"},
        "mp2ts_container": {"pid": 256},
        "mxf_container": {"package_uid": umid, "track_id": 2},
        "isobmff_container": {"track_id": 1},
    }
    technical = _read(video() | {"container_mapping": mapping})
    assert decode_json(encode_json(technical), dict[str, Any])["container_mapping"] == mapping


@rule("FLW-7", "INI-1")
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (video(), False),
        (video(init_segments=False), False),
        (video(init_segments=True), True),
        (audio(init_segments=True), True),
        (image(), False),
        ({"format": DATA, "codec": "a/b", "essence_parameters": {"init_segments": True}}, True),
        ({"format": MULTI, "essence_parameters": {"init_segments": True}}, True),
        ({"format": MULTI}, False),
    ],
)
def test_init_segments_are_assumed_absent(body: Body, expected: bool) -> None:
    """FLW-7, INI-1."""
    assert has_init_segments(_read(body)) is expected
