from fractions import Fraction

import pytest

from tams_demo.timeline import CLOCK, Span, nanoseconds, nearest, read_timestamp, write_timestamp


def test_rational_time_rounds_to_the_nearest_unit() -> None:
    assert nanoseconds(Fraction(1001, 30000)) == 33_366_667
    assert nanoseconds(Fraction(64, 3000)) == 21_333_333
    assert nearest(Fraction(1024, 48000), CLOCK) == 1920
    assert [nearest(Fraction(value, 4), 2) for value in (-3, -2, -1, 0, 1, 2, 3)] == [-1, -1, 0, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "0:0"), (1_500_000_000, "1:500000000"), (-1, "-0:1"), (-2_000_000_001, "-2:1"), (10**18, "1000000000:0")],
)
def test_timestamps_are_written_as_the_specification_does(ns: int, text: str) -> None:
    assert write_timestamp(ns) == text
    assert read_timestamp(text) == ns


@pytest.mark.parametrize("text", ["", "1", "1:", "01:0", "1:0000000001", "1:1000000000", " 1:0", "1:0\n", "+1:0"])
def test_what_is_no_timestamp_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a timestamp"):
        read_timestamp(text)


def test_a_span_reads_what_it_writes() -> None:
    span = Span(-1, 2_000_000_000)
    assert str(span) == "[-0:1_2:0)"
    assert Span.read(str(span)) == span


@pytest.mark.parametrize("text", ["_", "()", "[0:0]", "(0:0_1:0)", "[0:0_1:0]", "[0:0_", "0:0_1:0"])
def test_a_span_is_only_a_half_open_timerange(text: str) -> None:
    with pytest.raises(ValueError, match="not a time"):
        Span.read(text)


def test_spans_that_only_touch_do_not_overlap() -> None:
    assert Span(0, 2).overlaps(Span(1, 3))
    assert not Span(0, 2).overlaps(Span(2, 3))
    assert not Span(2, 3).overlaps(Span(0, 2))
