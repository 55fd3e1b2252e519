"""One transaction's view of flows and sources: loaded once, changed as values, written and announced at its end."""

from collections.abc import Iterable

from msgspec.structs import replace

from tams_catalog.documents import (
    FlowState,
    SourceState,
    flow_of,
    flow_row,
    render_flow,
    render_source,
    source_of,
    source_row,
)
from tams_catalog.entries import flow_entry, source_entry
from tams_catalog.extents import with_updates
from tams_catalog.tables import FLOW_INDEX, FLOWS, SOURCE_INDEX, SOURCES, FlowEntry, FlowRow, SourceRow
from tams_common import events
from tams_common.clock import later
from tams_common.events import Draft, Subject
from tams_common.ids import FlowId, IdSource, SourceId
from tams_common.outbox import stage
from tams_common.store import Tx


class Changes:
    """Flows and sources within `tx`, at the moment `now` (ns). Nothing is written before `flush`.

    What is put is announced by exactly one event, however often it is put; what is only touched, or read, by none.
    """

    def __init__(self, tx: Tx, *, now: int, new_id: IdSource) -> None:
        self.tx = tx
        self.now = now
        self.new_id = new_id
        self._flow_rows: dict[FlowId, FlowRow | None] = {}
        self._source_rows: dict[SourceId, SourceRow | None] = {}
        self._flows: dict[FlowId, FlowState] = {}
        self._sources: dict[SourceId, SourceState] = {}
        self._touched: set[SourceId] = set()
        self._removed: set[SourceId] = set()

    def load(self, ids: Iterable[FlowId]) -> None:
        """Reads flows ahead, all at once."""
        missing = [flow_id for flow_id in ids if flow_id not in self._flow_rows]
        found = self.tx.get_many(FLOWS, [(flow_id,) for flow_id in missing])
        self._flow_rows.update((flow_id, found.get((flow_id,))) for flow_id in missing)

    def stored(self, flow_id: FlowId) -> FlowRow | None:
        """The flow's row as this transaction found it, even one that is being deleted."""
        self.load((flow_id,))
        return self._flow_rows[flow_id]

    def flow(self, flow_id: FlowId) -> FlowState | None:
        """The flow as it is now; None when it does not exist or is being deleted."""
        state = self._flows.get(flow_id)
        if state is None:
            row = self.stored(flow_id)
            if row is None or row.deleting:
                return None
            state = flow_of(row)
        return None if state.deleting else state

    def put(self, state: FlowState) -> None:
        """Creates or replaces a flow."""
        self.load((state.id,))
        self._flows[state.id] = state

    def source(self, source_id: SourceId) -> SourceState | None:
        """The source as it is now."""
        if source_id in self._removed:
            return None
        state = self._sources.get(source_id)
        if state is None:
            row = self._source_row(source_id)
            state = None if row is None else source_of(row)
        return state

    def put_source(self, state: SourceState) -> None:
        """Creates or replaces a source."""
        self._source_row(state.source.id)
        self._sources[state.source.id] = state

    def touch_source(self, source_id: SourceId) -> None:
        """Writes the source's row even if nothing in it changes: a decision rests on it (architecture 3)."""
        self._touched.add(source_id)

    def remove_source(self, source_id: SourceId) -> None:
        """Takes a source away."""
        self._removed.add(source_id)

    def flush(self) -> None:
        """Writes what has changed and stages its events; raises `InvalidInput` for a flow or source whose JSON is too
        large."""
        for source_id in self._removed:
            self._flush_removed(source_id)
        for source in self._sources.values():
            if source.source.id not in self._removed:
                self._flush_source(source)
        for source_id in self._touched - self._sources.keys() - self._removed:
            self.tx.touch(SOURCES, (source_id,))
        entries = self.tx.get_many(FLOW_INDEX, [(flow_id,) for flow_id in self._flows])
        for flow in self._flows.values():
            self._flush_flow(flow, entries.get((flow.id,)))

    def _flush_flow(self, state: FlowState, before: FlowEntry | None) -> None:
        row = self._flow_rows[state.id]
        at = later(self.now, row.event_at if row else 0)
        state = replace(state, version=row.version + 1 if row else 1, event_at=at)
        body = render_flow(state)
        subject, entry = self._subject(state), flow_entry(state, before)
        if row is None:
            self.tx.insert(FLOWS, [flow_row(state, body)])
            self.tx.insert(FLOW_INDEX, [entry])
            self._stage(events.flow_created(body, subject), at)
            return
        self.tx.update(FLOWS, [flow_row(state, body)])
        if state.deleting:
            self.tx.delete(FLOW_INDEX, [(state.id,)])
            self._stage(events.flow_deleted(subject), at)
        else:
            self.tx.update(FLOW_INDEX, [entry])
            self._stage(events.flow_updated(with_updates(body, entry.segments_updated), subject), at)

    def _flush_source(self, state: SourceState) -> None:
        row = self._source_rows[state.source.id]
        at = later(self.now, row.event_at if row else 0)
        state = replace(state, version=row.version + 1 if row else 1, event_at=at)
        body = render_source(state)
        subject = Subject(source_id=state.source.id, source_collected_by=state.source.collected_by)
        if row is None:
            self.tx.insert(SOURCES, [source_row(state, body)])
            self.tx.insert(SOURCE_INDEX, [source_entry(state)])
            self._stage(events.source_created(body, subject), at)
        else:
            self.tx.update(SOURCES, [source_row(state, body)])
            self.tx.update(SOURCE_INDEX, [source_entry(state)])
            self._stage(events.source_updated(body, subject), at)

    def _flush_removed(self, source_id: SourceId) -> None:
        row = self._source_row(source_id)
        if row is None:
            return
        self.tx.delete(SOURCES, [(source_id,)])
        self.tx.delete(SOURCE_INDEX, [(source_id,)])
        subject = Subject(source_id=source_id, source_collected_by=source_of(row).source.collected_by)
        self._stage(events.source_deleted(subject), later(self.now, row.event_at))

    def _subject(self, state: FlowState) -> Subject:
        source = self.source(state.source_id)
        if source is None:
            row = self._source_row(state.source_id)
            source = None if row is None else source_of(row)
        return Subject(
            flow_id=state.id,
            source_id=state.source_id,
            flow_collected_by=state.collected_by,
            source_collected_by=() if source is None else source.source.collected_by,
            incarnation=state.incarnation,
        )

    def _source_row(self, source_id: SourceId) -> SourceRow | None:
        if source_id not in self._source_rows:
            self._source_rows[source_id] = self.tx.get(SOURCES, (source_id,))
        return self._source_rows[source_id]

    def _stage(self, draft: Draft, at: int) -> None:
        stage(self.tx, [draft], at=at, new_id=self.new_id)
