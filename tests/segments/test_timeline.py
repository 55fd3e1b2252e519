"""The timeline: touching is not overlapping, and an instant is a segment like any other (TIME-16, T-44)."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tams_common.timerange import TimeRange
from tams_segments.timeline import Span, Timeline, covers, extend, is_outside, span_of
from tests.conformance import rule

SECOND = 1_000_000_000


def span(text: str) -> Span:
    found = span_of(TimeRange.parse(text))
    assert found is not None
    return found


@rule("SGP-7")
@pytest.mark.parametrize("text", ["_", "()", "[0:0_", "_1:0)", "(0:0_1:0)", "[1:0_1:0)", "[2:0_1:0)"])
def test_a_segment_is_bounded_and_includes_its_start(text: str) -> None:
    assert span_of(TimeRange.parse(text)) is None


@rule("SGP-8", "TIME-16")
@pytest.mark.parametrize(
    ("taken", "new", "clashes"),
    [
        ("[0:0_1:0)", "[1:0_2:0)", False),
        ("[0:0_1:0]", "[1:0_2:0)", True),
        ("[1:0_2:0)", "[2:0]", False),
        ("[2:0]", "[1:0_2:0)", False),
        ("[2:0]", "[1:0_2:0]", True),
        ("[2:0]", "[2:0]", True),
        ("[2:0]", "[2:0_3:0)", True),
        ("[0:0_10:0)", "[3:0_4:0)", True),
        ("[3:0_4:0)", "[0:0_10:0)", True),
        ("[-5:0_0:0)", "[0:0_1:0)", False),
    ],
)
def test_what_overlaps(taken: str, new: str, clashes: bool) -> None:
    clash = Timeline([span(taken)]).clash(span(new))
    assert clash == (span(taken) if clashes else None)
    assert TimeRange.parse(taken).overlaps(TimeRange.parse(new)) == clashes


def test_what_is_taken_stays_taken() -> None:
    timeline = Timeline()
    timeline.take(span("[5:0_6:0)"))
    timeline.take(span("[1:0_2:0)"))
    assert timeline.clash(span("[1:5_5:1)")) == span("[1:0_2:0)")
    assert timeline.clash(span("[2:0_5:0)")) is None


def test_the_extent_honours_inclusivity() -> None:
    assert extend(None, span("[1:0]")) == span("[1:0]")
    assert extend(span("[1:0_2:0)"), span("[2:0]")) == span("[1:0_2:0]")
    assert extend(span("[1:0_2:0]"), span("[0:0_1:0)")) == span("[0:0_2:0]")
    assert is_outside(span("[1:0_2:0)"), span("[2:0_3:0)"))
    assert not is_outside(span("[1:0_2:0]"), span("[2:0_3:0)"))


@rule("SGD-1")
def test_only_what_is_covered_wholly_is_deleted() -> None:
    assert covers(TimeRange.parse("_2:0)"), span("[1:0_2:0)"))
    assert not covers(TimeRange.parse("_2:0)"), span("[1:0_2:0]"))
    assert not covers(TimeRange.parse("(1:0_"), span("[1:0_2:0)"))


@st.composite
def spans(draw: st.DrawFn) -> Span:
    start = draw(st.integers(0, 30))
    length = draw(st.integers(0, 6))
    return Span(start, start + length, True if length == 0 else draw(st.booleans()))


@pytest.mark.property
@given(st.lists(spans(), max_size=30))
def test_it_decides_as_one_that_compares_everything_with_everything(wanted: Sequence[Span]) -> None:
    timeline, accepted = Timeline(), list[Span]()
    for new in wanted:
        overlapped = [old for old in accepted if old.timerange().overlaps(new.timerange())]
        clash = timeline.clash(new)
        assert (clash is None) == (not overlapped)
        if clash is None:
            timeline.take(new)
            accepted.append(new)
        else:
            assert clash == min(overlapped)
