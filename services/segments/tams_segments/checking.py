"""Comparing the index with what the backends store: missing bytes, and bytes that nothing refers to.

The index is read first, as one snapshot. Keys are drawn once and never again, so bytes that are older than that, and
that no row of it names, belong to nothing and never will.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from tams_common.clock import SECOND, Clock, date_time
from tams_common.errors import Unavailable
from tams_common.ids import is_uuid
from tams_common.objects import Objects
from tams_common.objects.checking import Finding, Kind, Options, Report, Sums
from tams_common.objects.port import Entry, Lists
from tams_common.store import Query, Reader, Store
from tams_segments.copy_jobs import progress_of
from tams_segments.instances import controlled
from tams_segments.tables import COPIES, GARBAGE, OBJECTS, ObjectState


class Holding(NamedTuple):
    """An instance as the index has it; `expected` tells whether its bytes have to be there."""

    object_id: str
    expected: bool


class Index(NamedTuple):
    """Every key that the store knows of a backend: of instances, and of bytes that wait for their removal."""

    held: dict[str, Holding]
    waiting: set[str]


async def check_storage(store: Store, backends: Sequence[Objects], *, options: Options, clock: Clock) -> Report:
    """Compares, and repairs where `options` say so; raises `Unavailable` when the tables cannot be read."""
    read_at = clock()
    indexes = await store.read(_indexes)
    report = Report(date_time(read_at), [], [])
    for objects in backends:
        index = indexes.pop(objects.backend.id, Index({}, set()))
        check = _Check(objects, index, store=store, before=read_at - options.grace * SECOND)
        await check.run(repair=options.repair)
        report.backends.append(check.sums)
        report.findings.extend(check.findings)
    for storage_id, index in indexes.items():
        known = len(index.held)
        report.backends.append(Sums(storage_id=storage_id, instances=known, unknown="no such backend is configured"))
    return report


class _Check:
    """The check of one backend; bytes that were stored `before` (ns) are old."""

    def __init__(self, objects: Objects, index: Index, *, store: Store, before: int) -> None:
        backend = objects.backend
        self.sums = Sums(storage_id=backend.id, label=backend.label or "", instances=len(index.held))
        self.findings: list[Finding] = []
        self._objects = objects
        self._index = index
        self._store = store
        self._before = before

    async def run(self, *, repair: bool) -> None:
        """Fills `sums` and `findings`; why something could not be done stands in `sums.unknown`."""
        if not isinstance(self._objects, Lists):
            self.sums.unknown = "this backend cannot tell what it holds"
            return
        try:
            seen = {entry.key async for entry in self._objects.entries() if self._is_held(entry)}
            await self._find_missing(seen)
            if repair:
                await self._remove_orphans()
        except Unavailable as error:
            self.sums.unknown = error.detail

    def _is_held(self, entry: Entry) -> bool:
        """Counts one stored object; whether an instance has it."""
        sums = self.sums
        sums.stored += 1
        sums.bytes += entry.size
        if entry.key in self._index.held:
            return True
        if entry.key in self._index.waiting:
            sums.waiting += 1
        elif not is_uuid(entry.key):
            sums.foreign += 1
        elif entry.modified > self._before:
            sums.young += 1
        else:
            sums.orphaned += 1
            sums.orphaned_bytes += entry.size
            self.findings.append(self._finding("orphaned", entry.key, size=entry.size, modified=entry.modified))
        return False

    async def _find_missing(self, seen: set[str]) -> None:
        """Of what was not listed, all that the index still has then, and that is really not there."""
        missed = {key: held for key, held in self._index.held.items() if held.expected and key not in seen}
        names = {(held.object_id,) for held in missed.values()}
        found = await self._store.read(lambda tx: tx.get_many(OBJECTS, names))
        still = {one.storage_key for known in found.values() for one in controlled(known)}
        for key in sorted(missed.keys() & still):
            if await self._objects.head(key) is None:
                self.sums.missing += 1
                self.findings.append(self._finding("missing", key, object_id=missed[key].object_id))

    async def _remove_orphans(self) -> None:
        orphans = [(at, finding) for at, finding in enumerate(self.findings) if finding.kind == "orphaned"]
        if orphans and not self._index.held:
            self.sums.unknown = (
                "nothing is removed: the tables know of no object here, they may be those of another store"
            )
            return
        for at, finding in orphans:
            await self._objects.delete(finding.key)
            self.sums.removed += 1
            self.findings[at] = replace(finding, removed=True)

    def _finding(self, kind: Kind, key: str, **more: Any) -> Finding:  # noqa: ANN401 — members of Finding
        return Finding(kind=kind, storage_id=self.sums.storage_id, key=key, **more)


class _Known(NamedTuple):
    """The columns of an object that tell where its bytes are."""

    id: str
    state: ObjectState
    storage_id: str | None
    storage_key: str | None
    instances: bytes

    def holdings(self) -> Iterator[tuple[str, str, Holding]]:
        """Each controlled instance with its backend and key."""
        for one in controlled(self):
            yield one.storage_id, one.storage_key, Holding(self.id, one.ready and self.state != "allocated")


def _indexes(tx: Reader) -> dict[str, Index]:
    """All keys, by backend: of one snapshot, so that none is on its way from one table to the other."""
    found: dict[str, Index] = defaultdict(lambda: Index({}, set()))
    rows: list[Any] = tx.select(OBJECTS, _Known._fields, query=Query()).rows
    for row in rows:
        for storage_id, key, holding in _Known(*row).holdings():
            found[storage_id].held[key] = holding
    for cells in tx.select(GARBAGE, ("storage_id", "storage_key"), query=Query()).rows:
        found[str(cells[0])].waiting.add(str(cells[1]))
    for job in tx.scan(COPIES, Query()).rows:
        begun = progress_of(job)
        if begun is not None:
            found[job.storage_id].waiting.add(begun.upload.key)
    return found
