"""Pages read by windows are exact, and cost what the module promises, on any rows."""

from collections.abc import Callable, Sequence
from itertools import accumulate, product
from math import log2
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tams_common.store import Between, Query, Table, eq, ge, gt, le, lt
from tams_common.store.column import INT_MAX, INT_MIN
from tams_common.store.evaluation import meets
from tams_common.store.where import Condition
from tams_common.store.windows import FEWEST, Window, window_width
from tests.common.store.windowed_rows import FLOW, MOMENTS, NAMES, STARTS, WHIMS, Moment, Row, Rows

SECOND = 10**9
YEAR = 365 * 24 * 3600 * SECOND
MILLION = 1_000_000


def unique(values: Sequence[int]) -> list[Row]:
    """Rows at `values`, each at most once, within 64 bits."""
    return [(value, "") for value in sorted(set(values)) if INT_MIN <= value <= INT_MAX]


def most_windows(rows: int) -> float:
    """What a page may cost of a table with `rows` rows that meet its query."""
    return max(2, min(3, 2 * log2(rows)) if rows <= FEWEST else 2 * log2(rows)) if rows else 2


def check_walk(stored: Sequence[Row], query: Query, *, table: Table[Moment], whim: str, keep: bool) -> None:
    """Reads some pages of `query`, each within the promised cost, with their hints or always with the first one."""
    expected = [row for row in stored if meets(Moment("f", *row), query.where)]
    rows = Rows(stored, table=table, whim=whim)
    if query.reverse:
        expected.reverse()
    seen: list[Row] = []
    for _ in range(12):
        page = rows.page(query)
        assert len(rows.windows) <= most_windows(len(expected))
        seen += page.rows
        assert seen == expected[: len(seen)]
        assert page.more == (len(seen) < len(expected))
        if not page.more:
            break
        assert len(page.rows) == query.limit
        at, id = seen[-1]
        after = ("f", at) if table is STARTS else ("f", at, id)
        query = Query(query.where, (), after, query.limit, query.reverse, page.width if keep else query.width)


def _bursts(random: Random, count: int) -> list[int]:
    gaps = [1, 40, SECOND, 3600 * SECOND, YEAR]
    steps: list[int] = []
    while len(steps) < count:
        steps += [random.choice(gaps)] * random.choice([1, 7, 100, 5000, 60_000])
    return list(accumulate(steps[:count], initial=-(10**18)))


FLOWS: dict[str, Callable[[], list[int]]] = {
    "even": lambda: list(range(0, MILLION * SECOND, 4 * SECOND)),
    "one very long segment": lambda: [-INT_MAX, *range(SECOND, 100_000 * SECOND, SECOND)],
    "a gap of years": lambda: [*range(0, 60_000, 2), *range(40 * YEAR, 40 * YEAR + 10**6, 9)],
    "both ends of time": lambda: [INT_MIN, *range(100_000), INT_MAX],
    "at the end of time": lambda: list(range(INT_MAX - 200_000, INT_MAX + 1)),
    "powers of two": lambda: [*(2**n for n in range(63)), *(-(2**n) for n in range(63)), *range(3000)],
    "halving": lambda: [INT_MAX - 2**n - k for n in range(62) for k in range(500)],
    "bursts": lambda: _bursts(Random(7), 200_000),
    "other bursts": lambda: _bursts(Random(8), 100_000),
    "random": lambda: [Random(9 + n).getrandbits(64) + INT_MIN for n in range(50_000)],
    "no row": list,
    "one row": lambda: [5],
    "two rows": lambda: [INT_MIN, INT_MAX],
    "a full window": lambda: list(range(FEWEST)),
    "a row more than a full window": lambda: list(range(FEWEST + 1)),
}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("whim", WHIMS)
def test_a_page_of_evenly_spaced_segments_with_a_hint_is_cheap(whim: str, *, reverse: bool) -> None:
    rows = Rows([(value, "") for value in range(0, MILLION * SECOND, SECOND)], whim=whim)
    last = rows.rows[-1][0]
    width = window_width(30, count=MILLION, first=0, last=last + SECOND)
    query = Query((FLOW, ge("at", 0), le("at", last)), (), None, 30, reverse, width)
    for place in (None, 0, 1, 499_999, MILLION - 40, MILLION - 2, MILLION - 1):
        after = None if place is None else ("f", rows.rows[-1 - place if reverse else place][0])
        page = rows.page(Query(query.where, (), after, 30, reverse, width))
        assert len(rows.windows) == (0 if place == MILLION - 1 else 1)
        assert rows.came <= 50
        assert len(page.rows) == min(30, MILLION if place is None else MILLION - 1 - place)
        if page.more:
            assert width * 0.9 <= page.width <= width * 1.1


@pytest.mark.parametrize("flow", FLOWS)
def test_a_page_anywhere_in_any_flow_takes_few_windows(flow: str) -> None:
    """Whatever the database sends of a full window, and whatever the hint is worth."""
    stored = unique(FLOWS[flow]())
    count = len(stored)
    hints = ((1, 0), (30, 0), (30, 1), (30, 60 * SECOND), (30, YEAR), (1000, INT_MAX))
    for whim, reverse in product(WHIMS, (False, True)):
        rows = Rows(stored, whim=whim)
        for place, (limit, width) in zip((-1, 0, count // 2, count - 32, count - 2, -1), hints, strict=True):
            place = place if -1 <= place < count else -1
            at = count - 1 - place if reverse else place
            after = None if place < 0 else ("f", stored[at][0])
            page = rows.page(Query((FLOW,), (), after, limit, reverse, width))
            expected = stored[max(at - limit, 0) : at][::-1] if reverse else stored[at + 1 : at + 1 + limit]
            assert page.rows == expected
            assert len(rows.windows) <= most_windows(count)


def test_a_database_that_sends_first_rows_first_is_asked_twice_without_a_hint() -> None:
    rows = Rows(unique(FLOWS["bursts"]()))
    assert len(rows.page(Query((FLOW,), limit=30)).rows) == 30
    assert len(rows.windows) == 2
    assert rows.came <= 500


def test_the_hint_follows_the_flow_from_page_to_page() -> None:
    rows = Rows(unique([*range(0, 3000 * SECOND, SECOND), *range(YEAR, YEAR + 3000, 1)]))
    costs: list[int] = []
    query = Query((FLOW,), limit=30)
    while (page := rows.page(query)).more:
        costs.append(len(rows.windows))
        query = Query((FLOW,), (), ("f", page.rows[-1][0]), 30, width=page.width)
    assert len(costs) == 199
    assert sum(costs) <= 199 + 6


def test_rows_that_tie_are_read_at_once_and_without_their_bodies() -> None:
    rows = Rows([(7, f"{number:05}") for number in range(20_000)], table=MOMENTS, whim="newest")
    page = rows.page(Query((FLOW,), (), ("f", 7, "00998"), 3))
    assert page.rows == [(7, "00999"), (7, "01000"), (7, "01001")]
    assert page.more
    assert len(rows.windows) <= 10
    assert rows.windows[-1].bare


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("whim", WHIMS)
def test_text_is_read_by_windows_too(whim: str, *, reverse: bool) -> None:
    names = [f"{number:06}" for number in range(50_000)]
    rows = Rows([(0, name) for name in names], table=NAMES, whim=whim)
    for place in (-1, 0, 25_000, 49_990):
        at = names[-1 - place if reverse else place]
        page = rows.page(Query((FLOW,), (), ("f", at) if place >= 0 else None, 30, reverse))
        ordered = names[::-1] if reverse else names
        assert [name for _, name in page.rows] == ordered[place + 1 : place + 31]
        assert len(rows.windows) <= 2 + log2(50_000 / FEWEST)


def test_without_a_limit_all_rows_come_of_one_window() -> None:
    rows = Rows(unique(range(5000)))
    page = rows.page(Query((FLOW,), (), ("f", 9), reverse=True))
    assert [at for at, _ in page.rows] == [8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert not page.more
    assert [window.most for window in rows.windows] == [None]


def test_one_row_that_the_conditions_name_is_one_window_without_bounds() -> None:
    rows = Rows([(5, "")])
    assert rows.page(Query((FLOW, eq("at", 5)), limit=30)).rows == [(5, "")]
    assert rows.windows == [Window("at")]


@pytest.mark.parametrize(
    ("where", "conditions"),
    [
        ((), (Between("at", INT_MIN, INT_MAX),)),
        ((ge("at", 3), le("at", 9)), (Between("at", 3, 9),)),
        ((gt("at", 3), lt("at", 9)), (Between("at", 4, 8),)),
        ((Between("at", 3, 9), ge("at", 5)), (Between("at", 5, 9),)),
        ((gt("at", INT_MAX),), None),
        ((ge("at", 9), le("at", 3)), None),
    ],
)
def test_conditions_bound_the_windows(where: tuple[Condition, ...], conditions: tuple[Condition, ...] | None) -> None:
    rows = Rows([])
    assert rows.page(Query((FLOW, *where), limit=30)).rows == []
    assert [window.conditions for window in rows.windows] == ([] if conditions is None else [conditions])


def test_text_has_windows_with_one_bound_or_none() -> None:
    assert Window("id").conditions == ()
    assert Window("id", "a").conditions == (ge("id", "a"),)
    assert Window("id", None, "b").conditions == (le("id", "b"),)


def test_a_hint_is_made_of_a_flow_s_density() -> None:
    assert window_width(30, count=1000, first=0, last=1000 * SECOND) == 46 * SECOND
    assert window_width(30, count=0, first=0, last=0) == 0
    assert window_width(30, count=1, first=5, last=5) == 0


VALUES = st.integers(INT_MIN, INT_MAX) | st.integers(-100, 100)
RUNS = st.tuples(VALUES, st.sampled_from([0, 1, 3, SECOND, YEAR]), st.sampled_from([1, 2, 30, 500, 3000]))
HINTS = st.sampled_from([-1, 0, 1, 50, SECOND, YEAR, INT_MAX])


@st.composite
def queries(draw: st.DrawFn) -> Query:
    """A first page of MOMENTS or STARTS, with bounds that are sharp or wide, right or wrong."""
    low, high = draw(st.none() | VALUES), draw(st.none() | VALUES)
    bounds: tuple[Condition, ...] = () if low is None else (draw(st.sampled_from([ge, gt]))("at", low),)
    bounds += () if high is None else (draw(st.sampled_from([le, lt]))("at", high),)
    return Query(
        (FLOW, *bounds), limit=draw(st.sampled_from([1, 2, 30, 400])), reverse=draw(st.booleans()), width=draw(HINTS)
    )


@pytest.mark.property
@given(runs=st.lists(RUNS, max_size=5), query=queries(), whim=st.sampled_from(list(WHIMS)), keep=st.booleans())
def test_pages_show_each_row_once_at_the_promised_cost(
    runs: list[tuple[int, int, int]], query: Query, whim: str, *, keep: bool
) -> None:
    """Of a few pages: each row of the query once, in order, for any spread of rows and any hint."""
    values = [start + step * number for start, step, count in runs for number in range(count)]
    check_walk(unique(values), query, table=STARTS, whim=whim, keep=keep)


@pytest.mark.property
@given(runs=st.lists(RUNS, max_size=5), query=queries(), whim=st.sampled_from(list(WHIMS)), keep=st.booleans())
def test_pages_of_rows_that_tie_show_each_row_once(
    runs: list[tuple[int, int, int]], query: Query, whim: str, *, keep: bool
) -> None:
    values = [start + step * number for start, step, count in runs for number in range(count)]
    rows = sorted((value, f"{number:05}") for number, value in enumerate(values) if INT_MIN <= value <= INT_MAX)
    check_walk(rows, query, table=MOMENTS, whim=whim, keep=keep)
