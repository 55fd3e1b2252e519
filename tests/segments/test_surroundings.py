"""What is stored around spans, against a look at every row: how much is found, and by how many looks (ADR 0003)."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tams_common.store import Page
from tams_common.store.evaluation import holds
from tams_segments.surroundings import Surroundings
from tams_segments.timeline import Span, Timeline
from tams_segments.visible import Look


class Rows:
    """Rows in memory, and the looks that were taken at them."""

    def __init__(self, rows: Sequence[Span]) -> None:
        self.rows = sorted(rows)
        self.looks = 0

    def look(self, look: Look) -> Page[Span]:
        self.looks += 1
        found = [
            row
            for row in self.rows
            if (look.low is None or look.low <= row.start)
            and (look.high is None or row.start <= look.high)
            and all(holds(row.start, condition) for condition in look.where)
        ]
        found = found[::-1] if look.reverse else found
        return Page(found[: look.limit], more=len(found) > look.limit)

    def surroundings(self, *, page: int, longest: int | None = None) -> Surroundings[Span]:
        lengths = [row.end - row.start for row in self.rows]
        known = max(lengths, default=0) if longest is None else longest
        first = self.rows[0].start if self.rows else 0
        return Surroundings(look=self.look, first=first, longest=known, page=page)


@st.composite
def timelines(draw: st.DrawFn) -> list[Span]:
    """Spans that do not overlap: mostly short ones, a few of them long, with gaps or without."""
    found: list[Span] = []
    at = draw(st.integers(-5, 5))
    lengths = st.sampled_from([0, 1, 1, 1, 2, 3, 40])
    for length in draw(st.lists(lengths, max_size=40)):
        includes_end = length == 0 or draw(st.booleans())
        found.append(Span(at, at + length, includes_end))
        at += length + includes_end + draw(st.sampled_from([0, 0, 1, 7]))
    return found


SPANS = st.builds(
    lambda start, length, closed: Span(start, start + length, closed or not length),
    st.integers(-8, 130),
    st.integers(0, 30) | st.integers(0, 3),
    st.booleans(),
)


def overlap(one: Span, other: Span) -> bool:
    return not (one.precedes(other) or other.precedes(one))


@pytest.mark.property
@given(timelines(), st.lists(SPANS, max_size=40), st.integers(1, 50), st.sampled_from([0, 1, 50, 2**64]))
def test_the_first_that_each_overlaps_is_found(rows: list[Span], wanted: list[Span], page: int, over: int) -> None:
    known, wanted = Rows(rows), sorted(wanted)
    longest = max((row.end - row.start for row in rows), default=0) + over
    settled: list[Span] = []
    for found in known.surroundings(page=page, longest=longest).around(wanted, whole=False):
        taken = Timeline(found.rows)
        for span in found.settled:
            assert taken.clash(span) == next((row for row in rows if overlap(row, span)), None)
        settled += found.settled
    assert settled == wanted
    assert known.looks <= 3 * len(wanted)


@pytest.mark.property
@given(timelines(), timelines(), st.integers(1, 50), st.sampled_from([0, 1, 50, 2**64]))
def test_all_that_overlap_are_found(rows: list[Span], wanted: list[Span], page: int, over: int) -> None:
    known, taken = Rows(rows), Timeline(wanted)
    longest = max((row.end - row.start for row in rows), default=0) + over
    found = [each.rows for each in known.surroundings(page=page, longest=longest).around(wanted, whole=True)]
    assert {row for page_ in found for row in page_ if taken.clash(row)} == {row for row in rows if taken.clash(row)}
    assert all(one.start < other.start for page_ in found for one, other in pairwise(page_))


@pytest.mark.parametrize("gap", [2, 10])
def test_spans_that_fit_cost_four_looks_for_a_thousand(gap: int) -> None:
    rows = Rows([Span(at, at + 1, False) for at in range(1000 * gap) if at % gap])
    holes = [Span(at, at + 1, False) for at in range(0, 1000 * gap, gap)]
    for found in rows.surroundings(page=2048).around(holes, whole=False):
        assert not any(map(Timeline(found.rows).clash, found.settled))
    assert rows.looks == (1 if gap == 2 else 4)


def test_one_long_segment_costs_pages_of_what_lies_around_and_no_more() -> None:
    rows = Rows([Span(0, 50_000, False), *(Span(at, at + 1, False) for at in range(50_000, 100_000, 2))])
    holes = [Span(at, at + 1, False) for at in range(50_001, 100_000, 100)]
    found = [each.rows for each in rows.surroundings(page=1000).around(holes, whole=False)]
    assert rows.looks <= len(rows.rows) // 1000 + 1
    assert max(map(len, found)) <= 1001


def test_where_a_page_settles_nothing_one_look_back_does() -> None:
    rows = Rows([Span(0, 90_000, False), *(Span(at, at + 1, False) for at in range(90_000, 100_000, 2))])
    *_, found = rows.surroundings(page=100).around([Span(99_999, 100_000, False)], whole=True)
    assert found.rows == [Span(99_998, 99_999, False)]
    assert rows.looks == 2
