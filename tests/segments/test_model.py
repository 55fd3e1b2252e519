"""A model timeline against two replicas of the service: random adds, deletions at once and later, and both together."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tams_common.http.codec import encode_json
from tams_common.ids import Incarnation, new_id
from tams_common.store import Query
from tams_common.timerange import EMPTY, TimeRange
from tams_segments.config import SegmentsConfig
from tams_segments.tables import HEADS, OBJECTS, SEGMENTS
from tests.segments.rig import FLOW, Catalog, Rig, running, segment

T = TypeVar("T")
PATH = f"/flows/{FLOW}/segments"
SHARED = "shared"
WHOLE = "[-100:0_100:0)"
PATIENT = SegmentsConfig(delete_budget=60, delete_batch=3, register_page=3)
HASTY = SegmentsConfig(delete_budget=0, delete_batch=2, register_page=24)
"""Small batches and pages: most of what is scattered needs several, the second kind with three ranges in each."""

SPANS = st.builds(
    lambda start, length, closed: f"[{start}:0_{start + length}:0{']' if closed or not length else ')'}",
    st.integers(0, 24),
    st.integers(0, 4),
    st.booleans(),
)
BATCHES = st.lists(st.tuples(SPANS, st.booleans()), min_size=1, max_size=8)
TENTH = 100_000_000
SHORT = st.builds(
    lambda start, length: str(TimeRange(start * TENTH, (start + length) * TENTH)),
    st.integers(0, 280),
    st.integers(1, 4),
)
SCATTERED = st.lists(st.tuples(SHORT | SPANS, st.booleans()), min_size=12, max_size=48)
RANGES = st.builds(
    lambda opening, start, length, ending: f"{opening}{start}:0_{start + length}:0{ending}",
    st.sampled_from("[("),
    st.integers(0, 24),
    st.integers(0, 30),
    st.sampled_from("])"),
) | st.sampled_from(["_", "()", "_9:0)", "[12:0_"])
REPLICAS = st.integers(0, 1)


class Item(msgspec.Struct, frozen=True):
    """A segment as the model knows it."""

    timerange: TimeRange
    object_id: str


class Read(msgspec.Struct, frozen=True):
    """What a client asks for; pages of `limit`."""

    timerange: str
    limit: int
    reverse: bool
    of_shared: bool

    @property
    def path(self) -> str:
        """The first page."""
        query = f"timerange={self.timerange}&limit={self.limit}&reverse_order={str(self.reverse).lower()}"
        return f"{PATH}?accept_get_urls=&{query}" + (f"&object_id={SHARED}" if self.of_shared else "")


READS = st.builds(Read, RANGES, st.integers(1, 4), st.booleans(), st.booleans())


class Timelines(RuleBasedStateMachine):
    """`items` are to be seen; replica 0 waits for its deletions, replica 1 for their first two segments only."""

    @initialize()
    def start(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = TemporaryDirectory()
        self.stack = AsyncExitStack()
        self.items: list[Item] = []
        self.generation = 0
        self.rigs = self.do(self._start(Path(self.folder.name)))
        self.catalog = self.rigs[0].catalog

    @rule(replica=REPLICAS, batch=BATCHES | SCATTERED)
    def add(self, replica: int, batch: list[tuple[str, bool]]) -> None:
        """Of an array the first of what overlaps wins, and what is there stays (SGP-3, SGP-8, SGP-9)."""
        wanted = self.do(self._items(batch))
        expected: list[Item] = []
        for item in wanted:
            if not any(item.timerange.overlaps(known.timerange) for known in [*self.items, *expected]):
                expected.append(item)
        assert self.do(self._add(self.rigs[replica], wanted)) == expected
        self.items += expected

    @rule(replica=REPLICAS, timerange=RANGES, of_shared=st.booleans())
    def delete(self, *, replica: int, timerange: str, of_shared: bool) -> None:
        """What is covered is not to be seen any more, be it 204 or 202 (SGD-1, SGD-2)."""
        self.do(self._delete(self.rigs[replica], timerange, of_shared=of_shared))
        self.items = [item for item in self.items if not _goes(item, timerange, of_shared=of_shared)]

    @rule(first=BATCHES, second=BATCHES | SCATTERED)
    def add_twice_at_once(self, first: list[tuple[str, bool]], second: list[tuple[str, bool]]) -> None:
        """Nothing overlaps, nothing is refused without a reason, nothing that was accepted is lost."""
        wanted = [self.do(self._items(batch)) for batch in (first, second)]

        async def both() -> list[list[Item]]:
            return await asyncio.gather(*map(self._add, self.rigs, wanted))

        accepted = [item for items in self.do(both()) for item in items]
        self.items += accepted
        for item in (item for items in wanted for item in items if item not in accepted):
            assert any(item.timerange.overlaps(known.timerange) for known in self.items), item

    @rule(batch=BATCHES, timerange=RANGES, deleting=REPLICAS)
    def add_and_delete_at_once(self, *, batch: list[tuple[str, bool]], timerange: str, deleting: int) -> None:
        """What was there and is covered goes; of what comes at the same time, the covered may."""
        wanted = self.do(self._items(batch))

        async def both() -> list[Item]:
            adding = self._add(self.rigs[1 - deleting], wanted)
            deletion = self._delete(self.rigs[deleting], timerange, of_shared=False)
            accepted, _ = await asyncio.gather(adding, deletion)
            return accepted

        accepted = self.do(both())
        left = [item for item in self.items if not _goes(item, timerange, of_shared=False)]
        seen = self.do(self._seen(self.rigs[0]))
        kept = [item for item in accepted if str(item.timerange) in seen]
        assert all(item in kept for item in accepted if not _goes(item, timerange, of_shared=False))
        self.items = left + kept

    @rule(replica=REPLICAS)
    def work(self, replica: int) -> None:
        """A round of the worker, if the other replica has no lease."""
        self.do(self.rigs[replica].worker.sweep())

    @rule(replica=REPLICAS)
    def finish(self, replica: int) -> None:
        """All that is to be done, and the bytes."""
        self.do(self._finish(self.rigs[replica]))

    @rule(replica=REPLICAS)
    def replace_flow(self, replica: int) -> None:
        """The flow is deleted and made anew."""
        self.do(self._replace(self.rigs[replica]))
        self.items = []

    @rule(replica=REPLICAS, asked=READS)
    def read(self, replica: int, asked: Read) -> None:
        """Pages show what shares time with a range, in order (SEG-6, SEG-8, SEG-9)."""
        found = self.do(self._pages(self.rigs[replica], asked.path))
        assert found == self._expected(asked)

    @rule(replica=REPLICAS, asked=READS, batch=BATCHES, timerange=RANGES)
    def read_beside_changes(self, *, replica: int, asked: Read, batch: list[tuple[str, bool]], timerange: str) -> None:
        """What stays is shown once, in order, and nothing that is not there or not asked for (PAG-10)."""
        rig, before = self.rigs[replica], self._expected(asked)
        first, path = self.do(self._page(rig, asked.path))
        self.delete(replica=replica, timerange=timerange, of_shared=False)
        self.add(replica, batch)
        after = self._expected(asked)
        rest = self.do(self._pages(rig, path))
        assert first == before[: asked.limit]
        assert [each for each in (*first, *rest) if each in before and each in after] == [
            each for each in after if each in before
        ]
        assert rest == [each for each in after if each in rest]

    def _expected(self, asked: Read) -> list[str]:
        """What is to be seen of it."""
        within = TimeRange.parse(asked.timerange)
        items = [item for item in self.items if item.object_id == SHARED or not asked.of_shared]
        found = sorted((item.timerange for item in items if item.timerange.overlaps(within)), key=_by_start)
        return [str(each) for each in (reversed(found) if asked.reverse else found)]

    @invariant()
    def agrees(self) -> None:
        expected = sorted((item.timerange for item in self.items), key=_by_start)
        whole = expected[0].hull(expected[-1]) if expected else EMPTY
        for rig in self.rigs:
            assert self.do(self._seen(rig)) == list(map(str, expected))
            assert self.do(self._extent(rig)) == str(whole)

    def teardown(self) -> None:
        """In the end only what is to be seen is stored, and the events have told of exactly that."""
        try:
            self.do(self._end())
        finally:
            self.runner.close()
            self.folder.cleanup()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def _start(self, place: Path) -> list[Rig]:
        catalog = Catalog()
        catalog.put(FLOW, incarnation=Incarnation("0"))
        return [
            await self.stack.enter_async_context(
                running(place / "media", directory=place, catalog=catalog, config=config)
            )
            for config in (PATIENT, HASTY)
        ]

    async def _items(self, batch: list[tuple[str, bool]]) -> list[Item]:
        items = [Item(TimeRange.parse(text), SHARED if shared else new_id()) for text, shared in batch]
        own = [item.object_id for item in items if item.object_id != SHARED]
        if own:
            await self.rigs[0].allocate(*own)
        return items

    async def _add(self, rig: Rig, items: list[Item]) -> list[Item]:
        """Posts an array; what was accepted of it."""
        answer = await rig.client.send("POST", PATH, body=encode_json([_posted(item) for item in items]))
        assert answer.status in (200, 201), answer.body
        failed = answer.json()["failed_segments"] if answer.status == 200 else []
        assert all("overlaps" in failure["error"]["summary"] for failure in failed)
        refused = {int(failure["error"]["field"].removeprefix("$[").partition("]")[0]) for failure in failed}
        return [item for at, item in enumerate(items) if at not in refused]

    async def _delete(self, rig: Rig, timerange: str, *, of_shared: bool) -> None:
        path = f"{PATH}?timerange={timerange}" + (f"&object_id={SHARED}" if of_shared else "")
        answer = await rig.client.send("DELETE", path)
        if answer.status == 503:
            await self._finish(rig)
            answer = await rig.client.send("DELETE", path)
        assert answer.status in (202, 204), answer.body

    async def _finish(self, rig: Rig) -> None:
        for each in self.rigs:
            each.clock.advance(seconds=10)
        while await rig.worker.sweep():
            pass
        await rig.collector.sweep()

    async def _replace(self, rig: Rig) -> None:
        for each in self.rigs:
            each.clock.advance(seconds=1)
        path = f"/internal/flows/{FLOW}/deletion"
        answer = await rig.client.send("PUT", path, body=encode_json({"incarnation": str(self.generation)}))
        assert answer.status in (202, 204)
        if answer.status == 202:
            await self._finish(rig)
            await rig.client.put(path, {"incarnation": str(self.generation)}, expect=204)
        self.generation += 1
        self.catalog.put(FLOW, incarnation=Incarnation(str(self.generation)))

    async def _seen(self, rig: Rig) -> list[str]:
        return await rig.timeranges()

    async def _extent(self, rig: Rig) -> str:
        return str((await rig.client.get(f"/internal/flows/{FLOW}/extent")).json()["timerange"])

    async def _page(self, rig: Rig, path: str) -> tuple[list[str], str]:
        """What a page shows, and where the next one is, empty for nowhere."""
        answer = await rig.client.get(path)
        following = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
        return [item["timerange"] for item in answer.json()], following

    async def _pages(self, rig: Rig, path: str) -> list[str]:
        found: list[str] = []
        while path:
            some, path = await self._page(rig, path)
            found += some
        return found

    async def _end(self) -> None:
        try:
            await self._finish(self.rigs[0])
            await self._check_rows(self.rigs[0])
            assert await self.rigs[0].replayed(str(self.generation)) == sorted(
                str(item.timerange) for item in self.items
            )
        finally:
            await self.stack.aclose()

    async def _check_rows(self, rig: Rig) -> None:
        segments = (await rig.store.read(lambda tx: tx.scan(SEGMENTS, Query()))).rows
        objects = (await rig.store.read(lambda tx: tx.scan(OBJECTS, Query()))).rows
        head = await rig.store.read(lambda tx: tx.get(HEADS, (FLOW,)))
        assert len(segments) == len(self.items) == (head.count if head else 0)
        assert not (head and head.hidden)
        references = Counter(item.object_id for item in self.items)
        assert {known.id: known.reference_count for known in objects if known.state == "media"} == references


def _goes(item: Item, timerange: str, *, of_shared: bool) -> bool:
    return TimeRange.parse(timerange).contains(item.timerange) and (item.object_id == SHARED or not of_shared)


def _posted(item: Item) -> dict[str, object]:
    if item.object_id != SHARED:
        return segment(item.object_id, str(item.timerange))
    urls = [{"url": "https://elsewhere.test/shared", "label": "elsewhere"}]
    return segment(SHARED, str(item.timerange), object_timerange=WHOLE, get_urls=urls)


def _by_start(timerange: TimeRange) -> int:
    return timerange.start or 0


TestTimelines = pytest.mark.property(Timelines.TestCase)
Timelines.TestCase.settings = settings(max_examples=max(settings().max_examples // 5, 10), deadline=None)
