from collections.abc import Callable

import pytest

from tams_common.errors import InvalidInput
from tams_common.http.query import Params
from tams_common.timerange import TimeRange
from tests.conformance import rule

UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


def test_decodes_once() -> None:
    params = Params.parse("object_id=a%2Fb%2520c+d&label=%C3%A9&label2=a=b&empty=&flag&&")
    assert params.text("object_id") == "a/b%20c d"
    assert params.text("label") == "é"
    assert params.text("label2") == "a=b"
    assert params.text("empty") == ""
    assert params.text("flag") == ""
    assert params.text("other") is None
    assert params.present("flag")
    assert not params.present("other")


@pytest.mark.parametrize("value", ["%", "%2", "%G0", "%FF", "%ED%A0%80", "\udcff"])
def test_refuses_bad_encoding_and_names_the_parameter(value: str) -> None:
    with pytest.raises(InvalidInput, match="label"):
        Params.parse(f"a=1&label={value}")


def test_refuses_bad_encoding_of_a_name() -> None:
    with pytest.raises(InvalidInput, match="name"):
        Params.parse("%FF=1")


def test_refuses_a_repeated_parameter_only_where_it_is_read() -> None:
    params = Params.parse("limit=1&limit=2&page=x")
    assert params.text("page") == "x"
    with pytest.raises(InvalidInput, match="limit"):
        params.integer("limit")


@rule("GEN-7")
def test_booleans() -> None:
    params = Params.parse("a=true&b=false&c=1&d=&e=True")
    assert params.boolean("a", None) is True
    assert params.boolean("b", True) is False
    assert params.boolean("x", None) is None
    for name in "cde":
        with pytest.raises(InvalidInput, match="true or false"):
            params.boolean(name, False)


def test_integers() -> None:
    params = Params.parse("a=30&b=-1&c=1.0&d=&e=%D9%A3&f=9999999999999999999999&g=-9999999999999999999999")
    assert params.integer("a") == 30
    assert params.integer("b") == -1
    assert (params.integer("f"), params.integer("g")) == (2**63 - 1, 1 - 2**63)
    for name in "cde":
        with pytest.raises(InvalidInput, match="whole number"):
            params.integer(name)


@pytest.mark.parametrize("raw", ["[0:0_10:0)", "%5B0:0_10:0%29", "%5b0%3A0_10%3A0)"])
def test_timeranges_come_raw_or_encoded(raw: str) -> None:
    assert Params.parse(f"timerange={raw}").timerange("timerange") == TimeRange.parse("[0:0_10:0)")


def test_timerange_errors_name_the_parameter() -> None:
    with pytest.raises(InvalidInput, match="timerange") as caught:
        Params.parse("timerange=yesterday").timerange("timerange")
    assert caught.value.field == "timerange"
    assert Params.parse("").timerange("timerange") is None


def test_choices() -> None:
    params = Params.parse("sort_by=created")
    assert params.choice("sort_by", ("created", "label")) == "created"
    with pytest.raises(InvalidInput, match="label, id"):
        params.choice("sort_by", ("label", "id"))


@rule("GEN-4")
def test_ids() -> None:
    params = Params.parse(f"one={UUID}&many={UUID},{UUID}&none=&upper={UUID.upper()}&gap={UUID},")
    assert params.uuid("one") == UUID
    assert params.uuid_list("many") == (UUID, UUID)
    assert params.uuid_list("none") == ()
    assert params.uuid_list("absent") is None
    reads: list[Callable[[], object]] = [
        lambda: params.uuid("upper"),
        lambda: params.uuid("none"),
        lambda: params.uuid_list("gap"),
        lambda: params.uuid_list("upper"),
    ]
    for read in reads:
        with pytest.raises(InvalidInput, match="UUID"):
            read()


def test_labels() -> None:
    params = Params.parse("none=&two=a,b%20c&bad=a,,b")
    assert params.labels("absent") is None
    assert params.labels("none") == ()
    assert params.labels("two") == ("a", "b c")
    with pytest.raises(InvalidInput, match="labels"):
        params.labels("bad")


def test_names_with_a_prefix() -> None:
    assert Params.parse("tag.a=1&tag.b%2Fc=2&tag_exists.d=true").prefixed("tag.") == {"a": "1", "b/c": "2"}
