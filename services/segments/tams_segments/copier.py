"""One copy, from its job to its end: it is made and shown, nobody wants it any more, or it is tried again later."""

from collections import Counter
from collections.abc import Callable, Mapping

import structlog

from tams_common.errors import TamsError, Unavailable
from tams_common.ids import IdSource
from tams_common.leases import Lease, LeaseLost
from tams_common.objects import Copies, Objects
from tams_common.store import Reader, Store, Tx
from tams_segments import copy_jobs
from tams_segments.copy_jobs import Progress, progress_of, wanted
from tams_segments.copying import Copying, Differs, Order
from tams_segments.origins import Origins
from tams_segments.tables import COPIES, CopyJob, MediaObject

_log = structlog.get_logger(__name__)


class _Unwanted(Exception):
    """There is no use in going on: the object is gone, the instance given up, or another worker has settled it."""


class Copier:
    """Works on copies under `lease`. Every step can be repeated, by this process or another one.

    `new_id` draws the keys of uploads.
    """

    def __init__(
        self, store: Store, backends: Mapping[str, Objects], *, origins: Origins, lease: Lease, new_id: IdSource
    ) -> None:
        self._store = store
        self._backends = backends
        self._origins = origins
        self._lease = lease
        self._clock = lease.clock
        self._new_id = new_id
        self.sums: Counter[str] = Counter()

    async def make(self, job: CopyJob) -> None:
        """Raises `LeaseLost`, and what the tables raise when not even a failure can be noted."""
        try:
            await self._make(job)
            self.sums["made"] += 1
            _log.info("object copied", object_id=job.object_id, storage_id=job.storage_id)
        except _Unwanted:
            await self._give_up(job)
        except LeaseLost:
            raise
        except TamsError as error:
            await self._put_off(job, error, reason=error.detail)
        except Exception as error:  # noqa: BLE001 -- one copy that cannot be made must not hold up the others
            _log.exception("a copy failed in a way that was not foreseen", object_id=job.object_id)
            await self._put_off(job, error, reason=f"{type(error).__name__}: {error}")

    async def close(self) -> None:
        """Lets go of connections; called when no copy is being made."""
        await self._origins.close()

    async def _make(self, job: CopyJob) -> None:
        known = await self._wanted(job)
        target = self._target(job)

        async def note(progress: Progress) -> None:
            if not await self._fenced(lambda tx: copy_jobs.note(tx, job, progress=progress, now=self._clock())):
                raise _Unwanted

        async def moved(size: int) -> None:
            self.sums["bytes"] += size
            await self._wanted(job)

        origin = self._origins.of(known, tries=job.tries)
        order = Order(self._new_id(), known.content_type, progress_of(job), note, moved)
        upload = await Copying(origin, target, order=order).run()
        if not await self._fenced(lambda tx: copy_jobs.finish(tx, job, upload=upload)):
            raise _Unwanted

    async def _wanted(self, job: CopyJob) -> MediaObject:
        known = await self._store.read(lambda tx: wanted(tx, job), bounded=True)
        if known is None:
            raise _Unwanted
        return known

    async def _fenced(self, step: Callable[[Tx], bool]) -> bool:
        """Runs a step that only the holder of the lease may take; raises `LeaseLost`."""

        def run(tx: Tx) -> bool:
            self._lease.renew(tx)
            return step(tx)

        return await self._store.run(run)

    async def _give_up(self, job: CopyJob) -> None:
        try:
            await self._forget(job)
        except TamsError as error:
            await self._put_off(job, error, reason=error.detail)
            return
        if await self._fenced(lambda tx: copy_jobs.give_up(tx, job, now=self._clock())):
            self.sums["given_up"] += 1
            _log.info("copy given up", object_id=job.object_id, storage_id=job.storage_id)

    async def _forget(self, job: CopyJob) -> None:
        """Frees the parts of what has been begun, if nobody can ever want them again."""

        def read(tx: Reader) -> Progress | None:
            row = tx.get(COPIES, COPIES.key_of(job))
            return progress_of(row) if row is not None and wanted(tx, job) is None else None

        begun = await self._store.read(read, bounded=True)
        if begun is not None:
            await self._target(job).abort(begun.upload)

    async def _put_off(self, job: CopyJob, error: Exception, *, reason: str) -> None:
        """Has the job tried again later; a copy that is not equal begins anew then."""
        _log.warning(
            "copy waits", object_id=job.object_id, storage_id=job.storage_id, tries=job.tries + 1, reason=reason
        )

        def settle(tx: Tx) -> bool:
            now = self._clock()
            if isinstance(error, Differs):
                copy_jobs.note(tx, job, progress=None, now=now)
            return copy_jobs.put_off(tx, job, now=now)

        await self._fenced(settle)
        self.sums["failed"] += 1

    def _target(self, job: CopyJob) -> Copies:
        objects = self._backends.get(job.storage_id)
        if objects is None or not isinstance(objects, Copies):
            raise Unavailable(f"backend {job.storage_id} is not configured, or takes no copies")
        return objects
