"""Timestamps and timeranges, rule by rule (checklist section 6 and Annex B)."""

import copy
import pickle
from urllib.parse import unquote

import msgspec
import pytest

from tams_common.timerange import (
    EMPTY,
    ETERNITY,
    MAX_NS,
    MIN_NS,
    NS,
    TimeFormatError,
    TimeOverflowError,
    TimeRange,
    format_timestamp,
    parse_timestamp,
)
from tests.conformance import rule

parse = TimeRange.parse


def span(text: str) -> tuple[int | None, int | None, bool, bool]:
    timerange = parse(text)
    return timerange.start, timerange.end, timerange.includes_start, timerange.includes_end


class TestTimestamps:
    @rule("TIME-1", "TIME-2")
    @pytest.mark.parametrize(
        ("text", "ns"),
        [
            ("0:0", 0),
            ("0:999999999", NS - 1),
            ("1:40000000", NS + 40_000_000),
            ("10:1", 10 * NS + 1),
            ("1694429247:40000000", 1_694_429_247_040_000_000),
            ("-1:500000000", -1_500_000_000),
            ("-0:5", -5),
            ("-10:0", -10 * NS),
        ],
    )
    def test_time_1_and_2_read_and_written_exactly_with_one_sign_for_the_whole_value(self, text: str, ns: int) -> None:
        assert parse_timestamp(text) == ns
        assert format_timestamp(ns) == text

    @rule("TIME-2")
    def test_time_2_minus_zero_is_zero(self) -> None:
        assert parse_timestamp("-0:0") == 0
        assert format_timestamp(0) == "0:0"

    @rule("TIME-1")
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "0",
            ":",
            "0:",
            ":0",
            "+1:0",
            "--1:0",
            "-",
            "01:0",
            "-01:0",
            "00:0",
            "0:00",
            "0:01",
            "0:1000000000",
            "1:-5",
            "1.5",
            "1:0:0",
            " 1:0",
            "1:0 ",
            "1 :0",
            "1_0:0",
            "٣:0",
            "1:٣",
            "now",
            "inf",
            "1e3:0",
            "0x1:0",
            "[0:0]",
            "1:0\x00",
        ],
    )
    def test_time_1_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(TimeFormatError):
            parse_timestamp(text)

    @pytest.mark.parametrize("text", ["1:0\n", "\n1:0", "1:0\r\n"])
    def test_t_40_a_newline_is_refused(self, text: str) -> None:
        with pytest.raises(TimeFormatError):
            parse_timestamp(text)

    @rule("TIME-3")
    @pytest.mark.parametrize(
        ("text", "ns"),
        [("9223372036:854775807", MAX_NS), ("-9223372036:854775808", MIN_NS), ("9007199:254740993", 2**53 + 1)],
    )
    def test_time_3_exact_to_the_bounds_where_a_float_rounds(self, text: str, ns: int) -> None:
        assert parse_timestamp(text) == ns
        assert format_timestamp(ns) == text

    @rule("TIME-3")
    @pytest.mark.parametrize(
        "text",
        [
            "9223372036:854775808",
            "-9223372036:854775809",
            "9999999999:0",
            "10000000000:0",
            "281474976710655:0",
            "-" + "9" * 5000 + ":0",
        ],
    )
    def test_time_3_beyond_64_bit_nanoseconds_is_an_error_that_says_so(self, text: str) -> None:
        with pytest.raises(TimeOverflowError, match=r"from -9223372036:854775808 to 9223372036:854775807 .*beyond"):
            parse_timestamp(text)
        with pytest.raises(TimeOverflowError, match=r"beyond"):
            parse(f"[0:0_{text})")
        with pytest.raises(TimeOverflowError, match=r"beyond"):
            parse(f"({text}")


class TestForms:
    @rule("TIME-4")
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("[0:0_1:0)", (0, NS, True, False)),
            ("[0:0_1:0]", (0, NS, True, True)),
            ("(0:0_1:0)", (0, NS, False, False)),
            ("(0:0_1:0]", (0, NS, False, True)),
        ],
    )
    def test_time_4_both_bounds_with_markers(self, text: str, expected: tuple[int, int, bool, bool]) -> None:
        assert span(text) == expected
        assert str(parse(text)) == text

    @rule("TIME-4")
    @pytest.mark.parametrize(
        "text",
        [
            "x",
            "__",
            "[0:0__1:0)",
            "0:01:0",
            "[0:0-1:0)",
            "[0:0_1:0))",
            "[[0:0_1:0)",
            "[0:0_1:0)x",
            " [0:0_1:0)",
            "[0:0 _1:0)",
            "[0:0,1:0)",
            "{0:0_1:0}",
            "]0:0_1:0[",
            ")(",
            "[01:0_2:0)",
            "[0:0_1:00)",
            "[0:0_1)",
            "[0_1:0)",
            "[+0:0_1:0)",
            "[0:0_-)",
            "[-_0:0)",
            "[0:0_1:1000000000)",
            "[0:0_1:0)[2:0]",
            "%5B0:0_1:0%29",
            "eternity",
            "٣:0_",
            "_\x00",
        ],
    )
    def test_time_4_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(TimeFormatError):
            parse(text)

    @pytest.mark.parametrize("text", ["[0:0_1:0)\n", "_\n", "()\n", "\n", "0:0\n", "\n_"])
    def test_t_40_a_newline_is_refused(self, text: str) -> None:
        with pytest.raises(TimeFormatError):
            parse(text)

    @rule("TIME-5")
    def test_time_5_underscore_is_eternity(self) -> None:
        assert parse("_") == ETERNITY
        assert parse("_").is_eternity
        assert span("_") == (None, None, False, False)

    @rule("TIME-6")
    @pytest.mark.parametrize("text", ["()", "", "[]", "[)", "(]", "[", "(", "]", ")"])
    def test_time_6_and_t_39_no_timestamp_and_no_underscore_is_empty(self, text: str) -> None:
        assert parse(text) == EMPTY
        assert parse(text).is_empty

    @rule("TIME-7")
    def test_time_7_an_omitted_bound_is_unbounded(self) -> None:
        assert span("_10:0)") == (None, 10 * NS, False, False)
        assert span("_10:0]") == (None, 10 * NS, False, True)
        assert span("[0:0_") == (0, None, True, False)
        assert span("(0:0_") == (0, None, False, False)

    @rule("TIME-8")
    @pytest.mark.parametrize(
        ("texts", "canonical"),
        [
            (["[_]", "(_)", "[_)", "(_]", "[_", "_)"], "_"),
            (["(_10:0)", "[_10:0)"], "_10:0)"),
            (["[0:0_)", "[0:0_]"], "[0:0_"),
        ],
    )
    def test_time_8_a_marker_beside_an_omitted_bound_is_ignored(self, texts: list[str], canonical: str) -> None:
        assert {parse(text) for text in texts} == {parse(canonical)}
        assert {str(parse(text)) for text in texts} == {canonical}

    @rule("TIME-9")
    def test_time_9_a_start_alone_is_open_ended_with_underscore_and_an_instant_without(self) -> None:
        assert str(parse("0:0_")) == "[0:0_"
        assert str(parse("0:0")) == "[0:0]"

    @rule("TIME-10")
    @pytest.mark.parametrize("text", ["[5:1]", "[5:1_5:1]", "5:1", "[5:1", "5:1]", "5:1_5:1"])
    def test_time_10_instants(self, text: str) -> None:
        assert parse(text) == TimeRange.instant(5 * NS + 1)
        assert parse(text).is_instant

    @rule("TIME-11")
    @pytest.mark.parametrize("text", ["(5:0)", "[5:0)", "(5:0]", "(5:0", "5:0)"])
    def test_time_11_and_t_38_an_instant_with_an_exclusive_marker_is_empty(self, text: str) -> None:
        assert parse(text) == EMPTY

    @rule("TIME-12")
    @pytest.mark.parametrize("text", ["[1:0_0:0)", "[1:0_0:0]", "1:0_-1:0", "[0:0_0:0)", "(0:0_0:0]", "(7:0_7:0)"])
    def test_time_12_reversed_or_equal_with_an_exclusive_marker_is_empty(self, text: str) -> None:
        assert parse(text) == EMPTY
        assert str(parse(text)) == "()"

    @rule("TIME-13")
    def test_time_13_a_missing_marker_is_inclusive(self) -> None:
        assert str(parse("0:0_1:0")) == "[0:0_1:0]"
        assert str(parse("(0:0_1:0")) == "(0:0_1:0]"
        assert str(parse("0:0_1:0)")) == "[0:0_1:0)"

    @rule("TIME-14")
    def test_time_14_negative_timestamps_at_both_ends(self) -> None:
        assert span("[-1:500000000_-0:5)") == (-1_500_000_000, -5, True, False)

    @rule("TIME-15")
    @pytest.mark.parametrize(
        "text", ["_", "()", "[5:0]", "[-0:5]", "(-0:5_0:0]", "[0:0_", "(-1:0_", "_10:0)", "_10:0]"]
    )
    def test_time_15_canonical_forms_are_written_as_read(self, text: str) -> None:
        assert str(parse(text)) == text

    @rule("TIME-20")
    def test_time_20_markers_may_come_percent_encoded_in_a_query(self) -> None:
        assert parse(unquote("%5B0:0_1:0%29")) == parse("[0:0_1:0)")


class TestComparisons:
    @rule("TIME-16")
    @pytest.mark.parametrize(
        ("left", "right", "expected"),
        [
            ("[0:0_1:0)", "[1:0_2:0)", False),
            ("[0:0_1:0]", "[1:0_2:0)", True),
            ("[0:0_1:0]", "(1:0_2:0)", False),
            ("[1:0_2:0)", "[2:0]", False),
            ("[1:0_2:0]", "[2:0]", True),
            ("[1:0_2:0)", "[1:0]", True),
            ("(1:0_2:0)", "[1:0]", False),
            ("(0:0_0:1)", "(0:0_0:1)", True),
            ("(0:0_0:1)", "[0:0]", False),
            ("_1:0)", "[1:0_", False),
            ("_1:0]", "[1:0_", True),
            ("[5:0_", "_", True),
            ("[0:0_9:0)", "[3:0_4:0)", True),
        ],
    )
    def test_time_16_and_t_44_overlaps_honour_inclusivity(self, left: str, right: str, expected: bool) -> None:
        assert parse(left).overlaps(parse(right)) is expected
        assert parse(right).overlaps(parse(left)) is expected

    @rule("TIME-16")
    def test_time_16_and_t_44_sorting_honours_inclusivity(self) -> None:
        ordered = ["_0:0)", "_", "[1:0_2:0)", "[2:0]", "[2:0_3:0)", "[2:0_3:0]", "[2:0_", "(2:0_3:0)"]
        assert [str(tr) for tr in sorted(map(parse, reversed(ordered)), key=lambda tr: tr.sort_key)] == ordered

    @rule("TIME-17")
    @pytest.mark.parametrize("text", ["_", "()", "[0:0]", "[0:0_1:0)", "_0:0]"])
    def test_time_17_never_overlaps_nothing_and_eternity_everything_else(self, text: str) -> None:
        assert not EMPTY.overlaps(parse(text))
        assert not parse(text).overlaps(EMPTY)
        assert ETERNITY.overlaps(parse(text)) is (text != "()")

    @rule("TIME-21")
    def test_time_21_a_query_within_one_frame_finds_its_segment(self) -> None:
        segment = parse("[0:0_0:40000000)")
        assert segment.overlaps(parse("[0:39999999]"))
        assert segment.overlaps(parse("(0:39999999_0:40000000)"))
        assert not segment.overlaps(parse("[0:40000000]"))

    def test_containment_is_of_every_instant(self) -> None:
        assert parse("[0:0_1:0)").contains(parse("(0:0_1:0)"))
        assert not parse("(0:0_1:0)").contains(parse("[0:0_1:0)"))
        assert not parse("[0:0_1:0)").contains(parse("[0:0_1:0]"))
        assert not parse("[0:0_1:0)").contains(parse("[0:0_"))
        assert not EMPTY.contains(parse("[0:0]"))
        assert EMPTY.contains(EMPTY)
        assert parse("[0:0_1:0)").contains_instant(0)
        assert not parse("[0:0_1:0)").contains_instant(NS)
        assert not EMPTY.contains_instant(0)


class TestArithmetic:
    def test_intersection_keeps_the_stricter_bounds(self) -> None:
        assert str(parse("[0:0_5:0]").intersect(parse("(0:0_9:0)"))) == "(0:0_5:0]"
        assert str(parse("_5:0)").intersect(parse("[3:0_"))) == "[3:0_5:0)"
        assert parse("[0:0_1:0)").intersect(parse("[1:0_2:0)")) == EMPTY
        assert parse("[0:0_1:0)").intersect(EMPTY) == EMPTY

    def test_hull_keeps_the_wider_bounds_and_what_lies_between(self) -> None:
        assert str(parse("[0:0_1:0)").hull(parse("(4:0_5:0]"))) == "[0:0_5:0]"
        assert str(parse("(0:0_1:0)").hull(parse("[0:0]"))) == "[0:0_1:0)"
        assert parse("_0:0)").hull(parse("[7:0_")) == ETERNITY
        assert EMPTY.hull(parse("[3:0]")) == parse("[3:0]") == parse("[3:0]").hull(EMPTY)

    @rule("TIME-19")
    def test_time_19_an_offset_shifts_both_ways(self) -> None:
        assert str(parse("(10:0_12:0]").shift(parse_timestamp("-10:500000000"))) == "(-0:500000000_1:500000000]"
        assert str(parse("[0:0_").shift(5)) == "[0:5_"
        assert ETERNITY.shift(MAX_NS) == ETERNITY
        assert EMPTY.shift(MAX_NS) == EMPTY

    @rule("TIME-3")
    def test_time_3_arithmetic_that_leaves_the_bounds_is_an_error(self) -> None:
        with pytest.raises(TimeOverflowError, match=r"9223372036:854775808.* lies beyond"):
            TimeRange.instant(MAX_NS).shift(1)
        with pytest.raises(OverflowError):
            TimeRange.half_open(MIN_NS, 0).shift(-1)
        with pytest.raises(TimeFormatError):
            TimeRange.half_open(0, MAX_NS + 1)

    def test_durations(self) -> None:
        assert parse("[-1:0_1:0)").duration_ns == 2 * NS
        assert parse("[5:0]").duration_ns == 0
        assert EMPTY.duration_ns == 0
        assert parse("[0:0_").duration_ns is None
        assert TimeRange.half_open(MIN_NS, MAX_NS).duration_ns == 2**64 - 1


class TestValues:
    def test_every_empty_range_is_the_same_value(self) -> None:
        empties = [parse("()"), TimeRange.half_open(5, 5), TimeRange(9, 3), TimeRange(7, 7, includes_start=False)]
        assert set(empties) == {EMPTY}
        assert (EMPTY.start, EMPTY.end, EMPTY.includes_start, EMPTY.includes_end) == (0, 0, False, False)
        assert EMPTY.is_bounded
        assert not EMPTY.is_instant

    def test_flags_beside_an_unbounded_end_are_false(self) -> None:
        assert TimeRange(None, None, includes_start=True, includes_end=True) == ETERNITY
        assert not TimeRange(None, 0, includes_start=True).includes_start

    def test_the_time_line_is_continuous(self) -> None:
        assert not parse("(0:0_0:1)").is_empty
        assert parse("(0:0_0:1)") != parse("[0:0_0:1)")

    def test_kinds_exclude_each_other(self) -> None:
        kinds = {
            text: (tr.is_empty, tr.is_instant, tr.is_eternity, tr.is_bounded)
            for text, tr in ((text, parse(text)) for text in ("()", "[0:0]", "_", "[0:0_1:0)", "[0:0_", "_0:0)"))
        }
        assert kinds == {
            "()": (True, False, False, True),
            "[0:0]": (False, True, False, True),
            "_": (False, False, True, False),
            "[0:0_1:0)": (False, False, False, True),
            "[0:0_": (False, False, False, False),
            "_0:0)": (False, False, False, False),
        }

    @pytest.mark.parametrize("name", ["start", "end", "includes_start", "includes_end", "is_empty", "anything"])
    def test_values_cannot_be_changed(self, name: str) -> None:
        with pytest.raises(AttributeError):
            setattr(parse("[0:0_1:0)"), name, 5)

    def test_values_survive_copies_and_stay_equal_to_nothing_else(self) -> None:
        timerange = parse("(0:0_1:0]")
        assert copy.deepcopy(timerange) == timerange == pickle.loads(pickle.dumps(timerange))
        assert timerange != "(0:0_1:0]"
        assert repr(timerange) == "TimeRange.parse('(0:0_1:0]')"

    def test_a_codec_converts_by_hooks(self) -> None:
        encoded = msgspec.json.encode({"timerange": parse("0:0_1:0")}, enc_hook=str)
        assert encoded == b'{"timerange":"[0:0_1:0]"}'
        decoded = msgspec.json.decode(encoded, type=dict[str, TimeRange], dec_hook=lambda _, text: parse(text))
        assert decoded == {"timerange": parse("[0:0_1:0]")}


class TestErrorMessages:
    def test_a_message_says_what_was_expected_and_where(self) -> None:
        with pytest.raises(TimeFormatError) as refused:
            parse("[0:0_1:00)")
        assert str(refused.value) == (
            "expected a timerange such as [0:0_10:0), [5:0], _ or () with timestamps [-]seconds:nanoseconds without"
            " leading zeros, nanoseconds at most 999999999; in '[0:0_1:00)' found '0)' at offset 8"
        )

    @pytest.mark.parametrize(
        ("text", "where"),
        [("x[0:0]", "'x[0:0]' at offset 0"), ("[0.5_", "'0.5_' at offset 1"), ("[0:0_1:0)\n", r"'\n' at offset 9")],
    )
    def test_the_place_is_where_reading_stopped(self, text: str, where: str) -> None:
        with pytest.raises(TimeFormatError) as refused:
            parse(text)
        assert str(refused.value).endswith(f"found {where}")

    def test_a_timestamp_message_names_the_form(self) -> None:
        with pytest.raises(TimeFormatError, match=r"expected a timestamp \[-\]seconds:nanoseconds .* at offset 0"):
            parse_timestamp("")

    @pytest.mark.parametrize("text", ["x" * 10_000_000, "9" * 1_000_000, "[0:0_" + "1" * 1_000_000])
    def test_huge_text_is_refused_in_a_short_message(self, text: str) -> None:
        with pytest.raises(TimeFormatError) as refused:
            parse(text)
        assert len(str(refused.value)) < 500
