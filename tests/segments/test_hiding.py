"""What open deletions hide of a timeline, against a look at every moment (ADR 0007)."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tams_common.timerange import MAX_NS, MIN_NS
from tams_segments.hiding import Hidden, Stretch, hidden_by, hiding, is_winding, stretches, with_fresh
from tams_segments.tables import Head

HEAD = Head("flow", "first", version=9)
MOMENTS = st.integers(0, 12)


@st.composite
def hidden(draw: st.DrawFn) -> Hidden:
    first, last = sorted((draw(MOMENTS), draw(MOMENTS)))
    fresh = draw(st.none() | st.tuples(MOMENTS, MOMENTS).map(lambda pair: (min(pair), max(pair))))
    name = draw(st.sampled_from([None, None, None, "object"]))
    return Hidden("request", first, last, draw(st.integers(1, 5)), name, fresh)


def test_nothing_is_hidden_without_open_deletions() -> None:
    assert stretches([], low=None, high=None) == [Stretch(MIN_NS, MAX_NS, None)]
    assert hidden_by(HEAD) == ()
    assert hiding(HEAD, []) == HEAD
    assert with_fresh(HEAD, [1, 2]) == HEAD
    assert stretches([], low=2, high=1) == []


def test_what_is_hidden_is_left_out_in_one_step() -> None:
    known = [Hidden("a", 10, 20, 3), Hidden("b", 15, 30, 4)]
    assert stretches(known, low=None, high=None) == [Stretch(MIN_NS, 9, None), Stretch(31, MAX_NS, None)]
    assert stretches(known, low=12, high=25) == []


def test_what_was_added_later_is_looked_for_where_it_lies() -> None:
    head = with_fresh(hiding(HEAD, [Hidden("a", 10, 20, 3)]), [12, 5, 14])
    assert is_winding(head)
    assert stretches(hidden_by(head), low=11, high=40) == [Stretch(12, 14, 3), Stretch(21, 40, None)]
    head = with_fresh(head, [20, 30])
    assert stretches(hidden_by(head), low=11, high=40) == [Stretch(12, 20, 3), Stretch(21, 40, None)]


def test_what_is_done_hides_no_more() -> None:
    known = Hidden("a", 10, 20, 3, fresh=(12, 14))
    assert known.beyond(13) == Hidden("a", 14, 20, 3, fresh=(12, 14))
    assert known.beyond(14) == Hidden("a", 15, 20, 3)


def test_segments_of_one_object_are_hidden_one_by_one() -> None:
    known = Hidden("a", 10, 20, 3, "x")
    assert stretches([known], low=0, high=30) == [Stretch(0, 30, None)]
    assert is_winding(hiding(HEAD, [known]))
    assert with_fresh(hiding(HEAD, [known]), [12]) == hiding(HEAD, [known])
    assert known.hides(10, version=3, object_id="x")
    assert not known.hides(10, version=3, object_id="y")


@pytest.mark.property
@given(st.lists(hidden(), max_size=5), MOMENTS, MOMENTS, st.integers(1, 7))
def test_stretches_show_each_moment_as_the_deletions_do(known: list[Hidden], low: int, high: int, version: int) -> None:
    found = stretches(known, low=low, high=high)
    assert all(one.low <= one.high for one in found)
    assert all(one.high < other.low for one, other in pairwise(found))
    for start in range(-1, 14):
        over = [one for one in known if one.object_id is None and one.first <= start <= one.last]
        latest = max(over, key=lambda one: one.up_to, default=None)
        if latest is not None and version > latest.up_to and (not latest.fresh or not _in(start, latest.fresh)):
            continue
        seen = low <= start <= high and not any(one.hides(start, version=version, object_id="y") for one in over)
        stretch = next((one for one in found if one.low <= start <= one.high), None)
        assert (stretch is not None and (stretch.above is None or version > stretch.above)) == seen


def _in(start: int, span: tuple[int, int]) -> bool:
    return span[0] <= start <= span[1]
