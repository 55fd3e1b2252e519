"""Registering segments: one transaction decides, item by item, what joins the timeline (architecture 5, SGP)."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from tams_common.clock import Clock, later
from tams_common.errors import InvalidInput
from tams_common.events import segments_added
from tams_common.ids import FlowId, IdSource
from tams_common.model.facts import FlowFacts
from tams_common.outbox import stage
from tams_common.store import Store, Tx
from tams_segments.heads import admit, advanced, extent, with_lengths
from tams_segments.hiding import with_fresh
from tams_segments.making_way import Limits, Way, make_way
from tams_segments.registration import Ledger, Rules, names_of
from tams_segments.rendering import segment_body
from tams_segments.repository import in_the_way
from tams_segments.requests import Refusal, SegmentPost, refused
from tams_segments.tables import HEADS, INIT_USES, OBJECTS, SEGMENTS, Head, InitUse, Segment
from tams_segments.telling import deleted, subject_of
from tams_segments.timeline import Span, Timeline, extend, span_of


class Order(msgspec.Struct, frozen=True):
    """Segments to register in a flow, as catalog knows it; `items` are numbered by their place in the request."""

    flow_id: FlowId
    facts: FlowFacts
    items: Sequence[tuple[int, SegmentPost]]


class Registrar:
    """Registers segments. `labels` are those of the storage backends, which no other URL may have (SGP-16)."""

    def __init__(self, store: Store, *, clock: Clock, new_id: IdSource, labels: frozenset[str], limits: Limits) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._labels = labels
        self._limits = limits

    async def register(self, order: Order) -> list[Refusal]:
        """Adds what can be added and returns the rest; raises `NotFound` when the flow has been deleted meanwhile."""
        if not order.items:
            return []
        while True:
            failures = await self._store.run(lambda tx: self._register(tx, order))
            if failures is not None:
                return failures

    def _register(self, tx: Tx, order: Order) -> list[Refusal] | None:
        """None when so much is hidden in the way that only some of it has been removed."""
        now = self._clock()
        stored = tx.get(HEADS, (order.flow_id,))
        head = admit(stored, order.flow_id, incarnation=order.facts.incarnation)
        spans = [span_of(item.timerange) for _, item in order.items]
        wanted = [span for span in spans if span is not None]
        if head.hidden:
            way = self._make_way(tx, order, head=head, spans=wanted)
            if not way.clear:
                return None
            head = way.head
        taken = in_the_way(tx, head, spans=wanted, page=self._limits.page)
        objects = tx.get_many(OBJECTS, ((name,) for name in names_of(item for _, item in order.items)))
        rules = Rules(order.flow_id, order.facts.init_segments, self._labels)
        batch = Batch(head, Ledger(objects.values(), rules, now=now), taken=taken)
        failures: list[Refusal] = []
        for (index, item), span in zip(order.items, spans, strict=True):
            try:
                batch.add(item, span)
            except InvalidInput as error:
                failures.append(refused(item, index, error=error))
        if batch.rows:
            subject = subject_of(order.flow_id, order.facts, extent=batch.extent)
            last = stage(
                tx,
                segments_added([row.body for row in batch.rows], subject),
                at=later(now, head.event_at),
                new_id=self._new_id,
            )
            batch.write(tx, new_head=stored is None, event_at=last)
        return failures

    def _make_way(self, tx: Tx, order: Order, *, head: Head, spans: Sequence[Span]) -> Way:
        now = self._clock()
        way = make_way(tx, head, spans=spans, now=now, limits=self._limits)
        if way.gone:
            told = deleted(way.head, order.facts, runs=way.gone)
            stage(tx, told, at=later(now, head.event_at), new_id=self._new_id)
        return way


class Batch:
    """The segments of one request that have been accepted so far, on top of what is stored."""

    def __init__(self, head: Head, ledger: Ledger, *, taken: Sequence[Span]) -> None:
        self.rows: list[Segment] = []
        self._head = head
        self._ledger = ledger
        self._timeline = Timeline(taken)
        self.extent = extent(head)

    def add(self, item: SegmentPost, span: Span | None) -> None:
        """Accepts one more segment, or raises `InvalidInput` and leaves everything as it was."""
        if span is None:
            raise InvalidInput(
                f"a segment's timerange is bounded, not empty and includes its start, {item.timerange} is not (SGP-7)",
                field="timerange",
            )
        if item.last_duration is not UNSET and item.last_duration < 0:
            raise InvalidInput("last_duration cannot be negative (SGP-11)", field="last_duration")
        clash = self._timeline.clash(span)
        if clash is not None:
            raise InvalidInput(
                f"{item.timerange} overlaps the flow's segment at {clash.timerange()} (SGP-8)", field="timerange"
            )
        media = self._ledger.claim(item)
        self._timeline.take(span)
        self.extent = extend(self.extent, span)
        head = self._head
        body = segment_body(item, media)
        self.rows.append(Segment(head.flow_id, *span, item.object_id, head.version + 1, body))

    def write(self, tx: Tx, *, new_head: bool, event_at: int) -> None:
        """Buffers the writes of everything accepted; the head goes with them (ADR 0003)."""
        head = with_lengths(self._head, [Span(row.start_ns, row.end_ns, row.end_inclusive) for row in self.rows])
        head = advanced(head, count=head.count + len(self.rows), covers=self.extent, event_at=event_at)
        head = with_fresh(head, [row.start_ns for row in self.rows])
        if new_head:
            tx.insert(HEADS, [head])
        else:
            tx.update(HEADS, [head])
        tx.insert(SEGMENTS, self.rows)
        if inserts := self._ledger.inserts:
            tx.insert(OBJECTS, inserts)
        tx.update(OBJECTS, self._ledger.updates)
        if self._ledger.init_uses:
            self._write_init_uses(tx)

    def _write_init_uses(self, tx: Tx) -> None:
        uses, flow_id = self._ledger.init_uses, self._head.flow_id
        stored = tx.get_many(INIT_USES, ((name, flow_id) for name in uses))
        tx.insert(
            INIT_USES, [InitUse(name, flow_id, count) for name, count in uses.items() if (name, flow_id) not in stored]
        )
        tx.update(
            INIT_USES,
            [
                InitUse(use.init_object_id, flow_id, use.segment_count + uses[use.init_object_id])
                for use in stored.values()
            ],
        )
