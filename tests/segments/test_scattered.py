"""Arrays that are scattered over a long flow: what they cost, in questions to the tables (SGP-8, ADR 0003)."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from tams_common.clock import SECOND
from tams_common.store import Page, Query, Tx
from tams_common.store.table import AnyTable
from tams_common.store.where import Scalar
from tams_segments.config import SegmentsConfig
from tams_segments.tables import HEADS, SEGMENTS, Segment
from tests.conformance import rule
from tests.segments.rig import FLOW, Rig, running, seconds, segment

T = TypeVar("T")

PATH = f"/flows/{FLOW}/segments"
THOUSAND = 1000


class Asked:
    """A transaction whose pages are counted."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.pages = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 — all of Tx
        return getattr(self._tx, name)

    def select(self, table: AnyTable, columns: Sequence[str], *, query: Query) -> Page[tuple[Scalar, ...]]:
        self.pages += 1
        return self._tx.select(table, columns, query=query)


def count_pages(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pages each transaction asked for; one that is run again adds another number."""
    counts: list[int] = []
    run = rig.store.run

    async def counted(fn: Callable[[Tx], T]) -> T:
        def ask(tx: Tx) -> T:
            asked = Asked(tx)
            try:
                return fn(asked)
            finally:
                counts.append(asked.pages)

        return await run(ask)

    monkeypatch.setattr(rig.store, "run", counted)
    return counts


@pytest.fixture
def pages(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return count_pages(rig, monkeypatch)


async def fill(rig: Rig, starts: Iterable[int]) -> None:
    """Segments of one second behind a first one that is registered, as rows: thousands would take too long."""
    await rig.client.post(PATH, external(seconds(-2)[0]))
    rest = [Segment(FLOW, at * SECOND, (at + 1) * SECOND, False, "shared", 1, b"{}") for at in starts]

    def insert(tx: Tx) -> None:
        head = tx.get(HEADS, (FLOW,))
        assert head is not None
        tx.insert(SEGMENTS, rest)
        tx.update(HEADS, [replace(head, count=head.count + len(rest), last_end=rest[-1].end_ns)])

    await rig.store.run(insert)


def external(timerange: str) -> dict[str, object]:
    urls = [{"url": "https://elsewhere.test/shared", "label": "elsewhere"}]
    return segment("shared", timerange, object_timerange="_", get_urls=urls)


@rule("SGP-8", "SGP-10")
@pytest.mark.parametrize("gap", [2, 10, 100])
async def test_a_thousand_holes_cost_the_same_few_questions(rig: Rig, pages: list[int], gap: int) -> None:
    await fill(rig, [at for at in range(THOUSAND * gap) if at % gap])
    pages.clear()
    await rig.client.post(PATH, list(map(external, seconds(*range(0, THOUSAND * gap, gap)))))
    assert max(pages) <= 4
    head = await rig.store.read(lambda tx: tx.get(HEADS, (FLOW,)))
    assert head is not None
    assert head.count == THOUSAND * gap + 1


@rule("SGP-3", "SGP-8")
async def test_a_thousand_that_are_there_already_cost_no_more(rig: Rig, pages: list[int]) -> None:
    await fill(rig, range(0, 10 * THOUSAND, 2))
    pages.clear()
    items = list(map(external, seconds(*range(0, 10 * THOUSAND, 10))))
    answer = await rig.client.post(PATH, items, expect=200)
    assert len(answer.json()["failed_segments"]) == THOUSAND
    assert max(pages) <= 4


async def test_what_continues_a_flow_is_not_looked_for(rig: Rig, pages: list[int]) -> None:
    await rig.add(*seconds(*range(10)))
    await rig.add(*seconds(*range(10, 20)))
    assert max(pages) == 0


async def test_a_gap_costs_one_question(rig: Rig, pages: list[int]) -> None:
    await rig.add(*seconds(*range(0, 10, 2)))
    await rig.add("[5:0_6:0)")
    assert max(pages) == 1


@rule("SGP-8")
async def test_a_head_of_before_does_not_know_how_long_segments_are(rig: Rig) -> None:
    await rig.add("[0:0_50:0)", *seconds(*range(50, 90, 2)))

    def forget(tx: Tx) -> None:
        head = tx.get(HEADS, (FLOW,))
        assert head is not None
        assert head.longest == 50 * SECOND
        tx.update(HEADS, [replace(head, longest=None)])

    await rig.store.run(forget)
    refused = await rig.client.post(PATH, list(map(external, seconds(40, 51, 52, 87))), expect=200)
    assert [failed["timerange"] for failed in refused.json()["failed_segments"]] == seconds(40, 52)
    head = await rig.store.read(lambda tx: tx.get(HEADS, (FLOW,)))
    assert head is not None
    assert head.longest is None
    await rig.client.delete(PATH)
    await rig.add(*seconds(3))
    head = await rig.store.read(lambda tx: tx.get(HEADS, (FLOW,)))
    assert head is not None
    assert head.longest == SECOND


@rule("SGP-8")
async def test_a_segment_as_long_as_time_reaches_over_all_others(rig: Rig) -> None:
    await rig.client.post(PATH, external("[-9000000000:0_9000000000:0)"))
    await rig.client.post(PATH, external("[9000000001:0_9000000002:0)"))
    await rig.client.post(PATH, external("[8999999999:0_9000000000:0)"), expect=400)


async def test_open_deletions_add_a_few_questions_and_none_for_each_item(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = SegmentsConfig(delete_budget=0, delete_batch=200)
    async with running(tmp_path, config=config) as rig:
        rig.catalog.put(FLOW)
        await fill(rig, [at for at in range(10 * THOUSAND) if at % 10])
        await rig.client.delete(f"{PATH}?timerange=[5000:0_", expect=202)
        counts = count_pages(rig, monkeypatch)
        await rig.client.post(PATH, list(map(external, seconds(*range(0, 10 * THOUSAND, 10)))))
        assert max(counts) <= 8
