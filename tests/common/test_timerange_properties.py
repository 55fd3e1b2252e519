"""Timeranges against two oracles: BBC's `mediatimestamp`, and sets of points on a small continuous time line.

Where `mediatimestamp` and the specification (or a ruling of ours) part, `TestDeclaredDeviations` says so one by one
and shows both answers, so that a change of the oracle is noticed; the properties leave out exactly these cases.
"""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mediatimestamp.immutable import TimeRange as BbcTimeRange
from mediatimestamp.immutable import Timestamp as BbcTimestamp

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

pytestmark = pytest.mark.property

parse = TimeRange.parse

STAMP = r"-?(0|[1-9][0-9]*):(0|[1-9][0-9]{0,8})"
LEGAL_STAMP = re.compile(STAMP)
LEGAL_RANGE = re.compile(rf"(\[|\()?({STAMP})?(_({STAMP})?)?(\]|\))?")

# Few values make bounds meet often; the others reach every digit and both bounds.
near = st.integers(-4, 4) | st.sampled_from([-NS - 1, -NS, NS - 1, NS])
instants = near | st.integers(MIN_NS, MAX_NS) | st.sampled_from([MIN_NS, MAX_NS])
flags = st.booleans()


def ranges(bounds: st.SearchStrategy[int]) -> st.SearchStrategy[TimeRange]:
    """Ranges of every kind, many of them touching, one-sided or empty."""
    return st.builds(
        TimeRange, st.none() | bounds, st.none() | bounds, includes_start=flags, includes_end=flags
    ) | st.sampled_from([EMPTY, ETERNITY])


timeranges = ranges(instants) | ranges(near)
stamp_texts = instants.map(format_timestamp) | st.just("-0:0")
range_texts = st.builds(
    lambda opening, start, separator, end, closing: f"{opening}{start}{separator}{end if separator else ''}{closing}",
    st.sampled_from(["", "[", "("]),
    st.just("") | stamp_texts,
    st.sampled_from(["", "_"]),
    st.just("") | stamp_texts,
    st.sampled_from(["", "]", ")"]),
)
noise = st.text(alphabet="[]()_:-+.0123456789 \n\x00٣F", max_size=24)


@st.composite
def damaged_texts(draw: st.DrawFn) -> str:
    """A legal text with a stretch of it replaced by noise: mostly illegal, by a hair."""
    text = draw(range_texts)
    first = draw(st.integers(0, len(text)))
    last = draw(st.integers(first, min(len(text), first + 2)))
    return text[:first] + draw(noise) + text[last:]


def bbc(timerange: TimeRange) -> BbcTimeRange:
    """The same range as the oracle's value, without going through text."""
    start, end = (None if ns is None else BbcTimestamp(ns=ns) for ns in (timerange.start, timerange.end))
    inclusivity = BbcTimeRange.EXCLUSIVE
    if timerange.includes_start:
        inclusivity |= BbcTimeRange.INCLUDE_START
    if timerange.includes_end:
        inclusivity |= BbcTimeRange.INCLUDE_END
    return BbcTimeRange(start, end, inclusivity)


def assert_same(ours: TimeRange, theirs: BbcTimeRange) -> None:
    assert bbc(ours) == theirs
    assert str(ours) == str(theirs)
    assert ours.is_empty == theirs.is_empty()
    assert ours.is_bounded == theirs.finite()
    assert ours.is_eternity == theirs.unbounded()


def is_instant_with_exclusive_marker(text: str) -> bool:
    return "_" not in text and ":" in text and (text.startswith("(") or text.endswith(")"))


class TestTimestamps:
    @given(instants)
    def test_written_as_the_oracle_writes_them_and_read_back(self, ns: int) -> None:
        assert format_timestamp(ns) == BbcTimestamp(ns=ns).to_sec_nsec()
        assert parse_timestamp(format_timestamp(ns)) == ns

    @given(stamp_texts)
    def test_read_as_the_oracle_reads_them(self, text: str) -> None:
        assert parse_timestamp(text) == BbcTimestamp.from_sec_nsec(text).to_nanosec()

    @rule("TIME-1")
    @given(noise | damaged_texts() | st.from_regex(LEGAL_STAMP, fullmatch=True))
    def test_time_1_exactly_the_pattern_is_read(self, text: str) -> None:
        try:
            parse_timestamp(text)
        except TimeOverflowError:
            assert LEGAL_STAMP.fullmatch(text)
        except TimeFormatError:
            assert not LEGAL_STAMP.fullmatch(text)
        else:
            assert LEGAL_STAMP.fullmatch(text)


class TestTexts:
    @given(range_texts)
    @example("(5:0)")
    def test_every_legal_text_is_read_as_the_oracle_reads_it(self, text: str) -> None:
        if is_instant_with_exclusive_marker(text):
            assert parse(text) == EMPTY
        else:
            assert_same(parse(text), BbcTimeRange.from_str(text))

    @rule("TIME-4")
    @given(noise | damaged_texts() | st.from_regex(LEGAL_RANGE, fullmatch=True))
    def test_time_4_exactly_the_pattern_is_read(self, text: str) -> None:
        try:
            parse(text)
        except TimeOverflowError:
            assert LEGAL_RANGE.fullmatch(text)
        except TimeFormatError:
            assert not LEGAL_RANGE.fullmatch(text)
        else:
            assert LEGAL_RANGE.fullmatch(text)

    @given(timeranges)
    def test_time_15_written_as_the_oracle_writes_them_and_read_back(self, timerange: TimeRange) -> None:
        assert_same(timerange, bbc(timerange))
        assert parse(str(timerange)) == timerange
        assert hash(parse(str(timerange))) == hash(timerange)

    @given(timeranges, timeranges)
    def test_one_text_is_one_value(self, left: TimeRange, right: TimeRange) -> None:
        assert (str(left) == str(right)) == (left == right) == (bbc(left) == bbc(right))


class TestAgainstTheOracle:
    @given(timeranges, timeranges)
    def test_overlaps(self, left: TimeRange, right: TimeRange) -> None:
        assert left.overlaps(right) == bbc(left).overlaps_with_timerange(bbc(right))

    @given(timeranges, timeranges)
    def test_intersect(self, left: TimeRange, right: TimeRange) -> None:
        assert_same(left.intersect(right), bbc(left).intersect_with(bbc(right)))

    @given(timeranges, timeranges)
    def test_hull(self, left: TimeRange, right: TimeRange) -> None:
        assert_same(left.hull(right), bbc(left).extend_to_encompass_timerange(bbc(right)))

    @given(timeranges, timeranges)
    def test_contains(self, left: TimeRange, right: TimeRange) -> None:
        if left.is_empty and right.is_empty:
            assert left.contains(right)
        else:
            assert left.contains(right) == bbc(left).contains_subrange(bbc(right))

    @given(timeranges, instants)
    def test_contains_instant(self, timerange: TimeRange, ns: int) -> None:
        assert timerange.contains_instant(ns) == (BbcTimestamp(ns=ns) in bbc(timerange))
        assert timerange.contains_instant(ns) == timerange.contains(TimeRange.instant(ns))

    @given(timeranges)
    def test_duration(self, timerange: TimeRange) -> None:
        length = bbc(timerange).length
        assert timerange.duration_ns == (length.to_nanosec() if isinstance(length, BbcTimestamp) else None)

    @given(timeranges, instants)
    def test_shift_moves_each_bound_or_says_that_it_cannot(self, timerange: TimeRange, ns: int) -> None:
        theirs = bbc(timerange)
        offset = BbcTimestamp(ns=ns)
        start, end = (None if bound is None else bound + offset for bound in (theirs.start, theirs.end))
        within = all(MIN_NS <= bound.to_nanosec() <= MAX_NS for bound in (start, end) if bound is not None)
        if timerange.is_empty:
            assert timerange.shift(ns) == EMPTY
        elif within:
            assert_same(timerange.shift(ns), BbcTimeRange(start, end, theirs.inclusivity))
            assert timerange.shift(ns).shift(-ns) == timerange
        else:
            with pytest.raises(TimeOverflowError):
                timerange.shift(ns)


# On a continuous line it is enough to look at every bound and at one point between neighbours: points are half
# nanoseconds, and those beyond all bounds stand for infinity.
POINTS = range(-20, 21)


def points(timerange: TimeRange) -> frozenset[int]:
    """The half-nanosecond points in a range whose bounds lie from -4 to 4 ns."""
    return frozenset(
        point
        for point in POINTS
        if (
            timerange.start is None
            or 2 * timerange.start < point
            or (2 * timerange.start == point and timerange.includes_start)
        )
        and (
            timerange.end is None
            or point < 2 * timerange.end
            or (point == 2 * timerange.end and timerange.includes_end)
        )
    )


small = ranges(st.integers(-4, 4))


class TestAgainstSetsOfPoints:
    @given(small)
    def test_empty_and_eternal(self, timerange: TimeRange) -> None:
        assert timerange.is_empty == (not points(timerange))
        assert timerange.is_eternity == (points(timerange) == set(POINTS))
        assert timerange.is_instant == (len(points(timerange)) == 1 and timerange.includes_start)

    @given(small, small)
    def test_equal_overlapping_containing(self, left: TimeRange, right: TimeRange) -> None:
        assert (left == right) == (points(left) == points(right))
        assert left.overlaps(right) == bool(points(left) & points(right))
        assert left.contains(right) == (points(left) >= points(right))

    @given(small, small)
    def test_intersect_and_hull(self, left: TimeRange, right: TimeRange) -> None:
        assert points(left.intersect(right)) == points(left) & points(right)
        both = points(left) | points(right)
        filled = {point for point in POINTS if both and min(both) <= point <= max(both)}
        assert points(left.hull(right)) == filled

    @given(small, st.integers(-5, 5))
    def test_shift(self, timerange: TimeRange, ns: int) -> None:
        moved = {point + 2 * ns for point in points(timerange)}
        middle = range(-10, 11)
        assert points(timerange.shift(ns)) & set(middle) == moved & set(middle)

    @given(st.lists(small.filter(lambda timerange: not timerange.is_empty)))
    def test_sorting_is_by_first_point_then_by_last(self, several: list[TimeRange]) -> None:
        by_points = sorted(several, key=lambda timerange: (min(points(timerange)), max(points(timerange))))
        assert sorted(several, key=lambda timerange: timerange.sort_key) == by_points


class TestDeclaredDeviations:
    """Each test shows our answer and the oracle's; one that fails means that the oracle has changed."""

    @pytest.mark.parametrize("text", ["(5:0)", "[5:0)", "(5:0]", "(5:0", "5:0)"])
    def test_t_38_an_instant_with_an_exclusive_marker_is_an_instant_to_the_oracle(self, text: str) -> None:
        assert parse(text) == EMPTY
        assert BbcTimeRange.from_str(text) == BbcTimeRange.from_str("[5:0]")

    @pytest.mark.parametrize("text", ["[0:0_1:0)x", "[0:0_1:0)[5:0]", "[0:0__1:0)"])
    def test_the_oracle_ignores_what_follows_a_timerange(self, text: str) -> None:
        with pytest.raises(TimeFormatError):
            parse(text)
        assert str(BbcTimeRange.from_str(text)) in {"[0:0_1:0)", "[0:0_"}

    def test_t_40_the_oracle_ignores_a_newline(self) -> None:
        with pytest.raises(TimeFormatError):
            parse("[0:0_1:0)\n")
        assert str(BbcTimeRange.from_str("[0:0_1:0)\n")) == "[0:0_1:0)"

    @pytest.mark.parametrize(
        ("text", "theirs"),
        [
            ("+1:0", "1:0"),
            ("01:0", "1:0"),
            ("1:00", "1:0"),
            (" 1:0", "1:0"),
            ("1:0 ", "1:0"),
            ("1_0:0", "10:0"),
            ("٣:0", "3:0"),
            ("5", "5:0"),
        ],
    )
    def test_time_1_the_oracle_reads_numbers_as_python_does(self, text: str, theirs: str) -> None:
        with pytest.raises(TimeFormatError):
            parse_timestamp(text)
        assert str(BbcTimestamp.from_str(text)) == theirs

    @pytest.mark.parametrize(("text", "theirs"), [("0:1000000000", "1:0"), ("1:-5", "0:999999995")])
    def test_time_1_the_oracle_carries_nanoseconds_over(self, text: str, theirs: str) -> None:
        with pytest.raises(TimeFormatError):
            parse_timestamp(text)
        assert str(BbcTimestamp.from_str(text)) == theirs

    @pytest.mark.parametrize(
        ("text", "theirs"),
        [
            ("1.5", "1:500000000"),
            ("1970-01-01T00:00:01.0Z", "1:0"),
            ("1970-01-01T00:00:01F00 25/1 UTC+00:00 TAI+0", "1:0"),
        ],
    )
    def test_time_1_the_oracle_reads_other_notations(self, text: str, theirs: str) -> None:
        with pytest.raises(TimeFormatError):
            parse_timestamp(text)
        assert str(BbcTimestamp.from_str(text)) == theirs

    def test_time_1_the_oracle_knows_the_present(self) -> None:
        with pytest.raises(TimeFormatError):
            parse_timestamp("now")
        assert BbcTimestamp.from_str("now") > BbcTimestamp.from_str("1700000000:0")

    def test_time_3_the_oracle_goes_on_beyond_64_bit_nanoseconds(self) -> None:
        with pytest.raises(TimeOverflowError):
            parse_timestamp("9223372036:854775808")
        assert BbcTimestamp.from_str("9223372036:854775808").to_nanosec() == MAX_NS + 1

    def test_time_3_the_oracle_clamps_at_48_bit_seconds(self) -> None:
        with pytest.raises(TimeOverflowError):
            parse_timestamp("281474976710656:0")
        assert str(BbcTimestamp.from_str("281474976710656:0")) == "281474976710655:999999999"
        last = BbcTimestamp.from_str("281474976710655:999999999")
        assert last + last == last

    def test_the_oracle_says_that_never_does_not_lie_in_never(self) -> None:
        assert EMPTY.contains(EMPTY)
        assert not BbcTimeRange.never().contains_subrange(BbcTimeRange.never())

    def test_time_8_the_oracle_remembers_ignored_markers_and_eternity_includes_its_ends(self) -> None:
        assert not parse("[_10:0)").includes_start
        assert BbcTimeRange.from_str("[_10:0)").includes_start()
        assert not BbcTimeRange.from_str("(_10:0)").includes_start()
        assert not ETERNITY.includes_start
        assert BbcTimeRange.eternity().includes_start()

    def test_the_length_of_an_unbounded_range_is_a_float_to_the_oracle(self) -> None:
        assert ETERNITY.duration_ns is None
        assert BbcTimeRange.eternity().length == float("inf")
