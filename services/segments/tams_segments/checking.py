"""Comparing the index with what the backends store: missing bytes, and bytes that nothing refers to.

The index is read first, as one snapshot. Keys are drawn once and never again, so bytes that are older than that, and
that no row of it names, belong to nothing and never will.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from tams_common.clock import SECOND, Clock, date_time
from tams_common.errors import Unavailable
from tams_common.ids import is_uuid
from tams_common.objects import Lists, Objects
from tams_common.objects.checking import Finding, Kind, Options, Report, Sums, whose
from tams_common.objects.port import STALLED, Damaged, Entry, Owner, Unfinished
from tams_common.store import Query, Reader, Store
from tams_segments.copy_jobs import progress_of
from tams_segments.identity import store_id
from tams_segments.instances import controlled
from tams_segments.tables import COPIES, GARBAGE, OBJECTS, ObjectState

_FEW: Final = 10
"""Orphans that a repair removes whatever their share is."""
_SHARE: Final = 10
"""More than one in so many stored objects are too many orphans: rather the tables are wrong, or old."""


class Holding(NamedTuple):
    """An instance as the index has it; `expected` tells whether its bytes have to be there."""

    object_id: str
    expected: bool


class Index(NamedTuple):
    """What the store knows of a backend: keys of instances, and of bytes that wait for their removal, and the uploads
    of copies that are on their way."""

    held: dict[str, Holding]
    waiting: set[str]
    uploads: set[str]


async def check_storage(store: Store, backends: Sequence[Objects], *, options: Options, clock: Clock) -> Report:
    """Compares, and repairs where `options` say so; raises `Unavailable` when the tables cannot be read."""
    read_at = clock()
    ours, indexes = await store.read(lambda tx: (store_id(tx) or "", _indexes(tx)))
    report = Report(date_time(read_at), [], [])
    for objects in backends:
        check = _Check(objects, indexes[objects.backend.id], store=store, ours=ours, read_at=read_at)
        await check.run(options)
        report.backends.append(check.sums)
        report.findings.extend(check.findings)
    for storage_id in indexes.keys() - {objects.backend.id for objects in backends}:
        known = len(indexes[storage_id].held)
        report.backends.append(Sums(storage_id=storage_id, instances=known, unknown="no such backend is configured"))
    return report


class _Check:
    """The check of one backend for the store `ours`, whose tables were read at `read_at` (ns)."""

    def __init__(self, objects: Objects, index: Index, *, store: Store, ours: str, read_at: int) -> None:
        backend = objects.backend
        self.sums = Sums(storage_id=backend.id, label=backend.label or "", instances=len(index.held))
        self.findings: list[Finding] = []
        self._objects = objects
        self._index = index
        self._store = store
        self._owner = Owner(ours, backend.id)
        self._shared = False
        self._read_at = read_at

    async def run(self, options: Options) -> None:
        """Fills `sums` and `findings`; why something could not be done stands in `sums`."""
        if not isinstance(self._objects, Lists):
            self.sums.unknown = "this backend cannot tell what it holds"
            return
        try:
            await self._compare(self._objects, options)
        except Unavailable as error:
            self.sums.unknown = error.detail

    async def _compare(self, lists: Lists, options: Options) -> None:
        found = await lists.owner()
        self._shared = found is not None and found != self._owner
        if found is not None and self._shared:
            self.sums.unknown = f"it bears the mark of {whose(found, self._owner)}: what is orphaned cannot be told"
        seen, damaged, before = set[str](), set[str](), self._read_at - options.grace * SECOND
        async for entry in lists.entries():
            if entry.file:
                damaged.add(entry.file)
            elif self._is_held(entry, before=before):
                seen.add(entry.key)
        await self._find_missing(seen, damaged)
        if options.repair:
            self.sums.refused = self._refusal(found, force=options.force)
        repair = options.repair and not self.sums.refused
        if repair:
            await self._remove_orphans()
        await self._find_abandoned(lists, repair=repair)

    def _is_held(self, entry: Entry, *, before: int) -> bool:
        """Counts one stored object, which is old if it was stored `before` (ns); whether an instance has it."""
        sums = self.sums
        sums.stored += 1
        sums.bytes += entry.size
        if entry.key in self._index.held:
            return True
        if entry.key in self._index.waiting:
            sums.waiting += 1
        elif self._shared or not is_uuid(entry.key):
            sums.foreign += 1
        elif entry.modified > before:
            sums.young += 1
        else:
            sums.orphaned += 1
            sums.orphaned_bytes += entry.size
            self._find("orphaned", key=entry.key, size=entry.size, modified=entry.modified)
        return False

    async def _find_missing(self, seen: set[str], damaged: set[str]) -> None:
        """Of what was not listed, all that the index still has then, and that is really not there or is damaged."""
        missed = {key: held for key, held in self._index.held.items() if held.expected and key not in seen}
        names = {(held.object_id,) for held in missed.values()}
        found = await self._store.read(lambda tx: tx.get_many(OBJECTS, names))
        still = {one.storage_key for known in found.values() for one in controlled(known)}
        for key in sorted(missed.keys() & still):
            try:
                if await self._objects.head(key) is None:
                    self._find("missing", key=key, object_id=missed[key].object_id)
                    self.sums.missing += 1
            except Damaged as error:
                self._find("damaged", key=key, object_id=missed[key].object_id, file=error.file)
                damaged.discard(error.file)
                self.sums.damaged += 1
        for file in sorted(damaged):
            self._find("damaged", file=file)
        self.sums.damaged += len(damaged)

    def _refusal(self, found: Owner | None, *, force: bool) -> str:
        """Why nothing is to be removed, empty where it may be: what is not certainly ours has to stay."""
        sums = self.sums
        if self._shared:
            return (
                "give each a bucket or prefix of its own; where the other is gone, remove its mark and start this store"
            )
        if found is None:
            return "it bears no mark of this store yet: start the store once, which leaves one"
        if not force and sums.orphaned > max(_FEW, sums.stored // _SHARE):
            return (
                f"{sums.orphaned} of {sums.stored} objects would go: tables that were restored from a backup do not "
                "know what came after it; if these are the right ones, repeat with --repair --force"
            )
        return ""

    async def _remove_orphans(self) -> None:
        for at, finding in enumerate(self.findings):
            if finding.kind == "orphaned":
                await self._objects.delete(finding.key)
                self.sums.removed += 1
                self.findings[at] = replace(finding, removed=True)

    async def _find_abandoned(self, lists: Lists, *, repair: bool) -> None:
        """What is cut off for long, and not the copy of a job that waits for its next try."""
        async for upload in lists.unfinished():
            self.sums.unfinished += 1
            if self._is_abandoned(upload):
                self.sums.abandoned += 1
                if repair:
                    await lists.abandon(upload)
                    self.sums.removed += 1
                told = {"file": upload.file, "size": upload.size, "modified": upload.modified}
                self._find("abandoned", key=upload.key, removed=repair, **told)

    def _is_abandoned(self, upload: Unfinished) -> bool:
        is_ours = not self._shared and (not upload.key or is_uuid(upload.key))
        return is_ours and upload.id not in self._index.uploads and upload.modified < self._read_at - STALLED

    def _find(self, kind: Kind, **more: Any) -> None:  # noqa: ANN401 — members of Finding
        self.findings.append(Finding(kind=kind, storage_id=self.sums.storage_id, **more))


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


def _indexes(tx: Reader) -> defaultdict[str, Index]:
    """All keys, by backend: of one snapshot, so that none is on its way from one table to the other."""
    found: defaultdict[str, Index] = defaultdict(lambda: Index({}, set(), set()))
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
            found[job.storage_id].uploads.add(begun.upload.id)
    return found
