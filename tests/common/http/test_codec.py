from typing import Annotated, Literal

import msgspec
import pytest

from tams_common.errors import InvalidInput
from tams_common.http.codec import Timestamp, decode_json, encode_json, json_response, no_content
from tams_common.timerange import TimeRange
from tests.conformance import rule


class Item(msgspec.Struct, forbid_unknown_fields=True):
    timerange: TimeRange
    offset: Timestamp = Timestamp(0)
    count: int = 0


class Bulk(msgspec.Struct):
    segments: list[Item]


def refused(data: bytes, kind: object = Bulk) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        decode_json(data, kind)
    return caught.value


def test_reads_typed_values() -> None:
    body = decode_json(b'{"segments":[{"timerange":"[0:0_1:0)","offset":"-0:5","count":2}]}', Bulk)
    assert body == Bulk([Item(TimeRange.parse("[0:0_1:0)"), Timestamp(-5), 2)])


def test_writes_what_it_reads() -> None:
    data = b'{"segments":[{"timerange":"[0:0_1:0)","offset":"-0:5","count":2}]}'
    assert encode_json(decode_json(data, Bulk)) == data


@rule("GEN-13")
@pytest.mark.parametrize(
    ("data", "field", "expected"),
    [
        (b'{"segments":[{"timerange":"[0:0_1:0)"},{"timerange":"x"}]}', "$.segments[1].timerange", "timerange"),
        (b'{"segments":[{"timerange":4}]}', "$.segments[0].timerange", "`str`"),
        (b'{"segments":[{"timerange":null}]}', "$.segments[0].timerange", "got `null`"),
        (b'{"segments":[{"timerange":"_","offset":{}}]}', "$.segments[0].offset", "got `object`"),
        (b'{"segments":[{"timerange":"_","offset":"1"}]}', "$.segments[0].offset", "timestamp"),
        (b'{"segments":[{"timerange":"_","count":1.5}]}', "$.segments[0].count", "`int`"),
        (b'{"segments":[{"count":1}]}', "$.segments[0].timerange", "missing"),
        (b'{"segments":[{"timerange":"_","extra":1}]}', "$.segments[0].extra", "unknown"),
        (b'{"segments":[{"timerange":"_","count":1e999}]}', "$.segments[0].count", "range"),
        (b"[]", "$", "`object`"),
    ],
)
def test_names_the_value_at_fault(data: bytes, field: str, expected: str) -> None:
    error = refused(data)
    assert error.field == field
    assert expected in error.detail
    assert field in error.detail


class Camera(msgspec.Struct, tag_field="kind", tag="camera"):
    mode: Literal["wide", "tele"] = "wide"
    lens: Annotated[str, msgspec.Meta(pattern=r"\A\d+mm\Z", examples=["50mm"])] = "50mm"


class Microphone(msgspec.Struct, tag_field="kind", tag="microphone"):
    modes: tuple[Literal["mono", "stereo"], ...] = ()
    named: dict[str, Literal["left", "right"]] = {}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'[{"kind":"x"}]', "$[0].kind: expected one of camera, microphone"),
        (b'[{"kind":"camera","mode":"x"}]', "$[0].mode: expected one of tele, wide"),
        (b'[{"kind":"camera","lens":"x"}]', "$[0].lens: for example 50mm"),
        (b'[{"kind":"microphone","modes":["mono","x"]}]', "$[0].modes[1]: expected one of mono, stereo"),
        (b'[{"kind":"microphone","named":{"a":"x"}}]', "$[0].named[...]: expected one of left, right"),
        (b'[{"kind":"camera","mode":1}]', "Expected `str`, got `int` at $[0].mode"),
    ],
)
def test_tells_what_a_value_may_be(data: bytes, told: str) -> None:
    assert refused(data, list[Camera | Microphone]).detail.endswith(told)


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b'{"segments":NaN}',
        b'{"other":Infinity,"segments":[]}',
        b'{"segments":[]} x',
        b"\xef\xbb\xbf{}",
        b'{"other":"\xff","segments":[]}',
        b'{"\xff":1}',
        b'{"other":"\\ud800"}',
        b'{"other":' + b"[" * 200_000,
        b'{"other":' + b'{"a":' * 200_000,
    ],
)
def test_refuses_what_is_no_json(data: bytes) -> None:
    assert refused(data).field == "$"


def test_refuses_deep_nesting_of_untyped_values() -> None:
    assert refused(b"[" * 200_000 + b"]" * 200_000, object).detail == "the body is nested too deeply"


@rule("GEN-19")
def test_refuses_an_absent_body() -> None:
    assert "absent" in refused(b"").detail


def test_responses() -> None:
    assert json_response([1]).body == b"[1]"
    assert json_response(b"[1]", 201, headers={"location": "/x"}).headers == {
        "location": "/x",
        "content-type": "application/json",
    }
    assert no_content().status == 204
