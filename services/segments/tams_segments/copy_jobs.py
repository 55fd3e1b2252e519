"""Copies that are to be made, as rows: each step is one transaction, and none is taken for a copy nobody wants."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from tams_common.clock import SECOND
from tams_common.objects import Upload
from tams_common.store import Query, Reader, Tx
from tams_segments.collector import UPLOAD_GRACE
from tams_segments.instances import Controlled, controlled, instances_of, with_instances
from tams_segments.tables import COPIES, GARBAGE, OBJECTS, CopyJob, Garbage, MediaObject

FIRST_RETRY: Final = 5 * SECOND
LAST_RETRY: Final = 3600 * SECOND


class Progress(msgspec.Struct, frozen=True):
    """What has been begun: `upload` takes the bytes of version `etag` of the instance at `origin`."""

    origin: str
    etag: str
    upload: Upload


_decode: Final = msgspec.json.Decoder(Progress).decode
_encode: Final = msgspec.json.Encoder().encode


class Backlog(msgspec.Struct, frozen=True):
    """Jobs that can be worked on, and of those the moment (ns) since which the oldest waits."""

    due: Sequence[CopyJob] = ()
    oldest: int = 0


def backlog(tx: Reader, *, now: int, limit: int) -> Backlog:
    """The jobs that are due, the longest due ones first."""
    due = [job for job in tx.scan(COPIES, Query(limit=limit)).rows if job.due <= now]
    return Backlog(due, due[0].due if due else 0)


def progress_of(job: CopyJob) -> Progress | None:
    """What has been begun for a job."""
    return _decode(job.progress) if job.progress else None


def wanted(tx: Reader, job: CopyJob) -> MediaObject | None:
    """The object, if it still waits for this copy: it may be gone by now, or the instance given up."""
    known = tx.get(OBJECTS, (job.object_id,))
    return known if known is not None and _copying(job) in instances_of(known) else None


def is_gone(tx: Reader, job: CopyJob) -> bool:
    """Whether nobody wants the copy, now and for ever: its key is no instance's, being copied or shown."""
    known = tx.get(OBJECTS, (job.object_id,))
    return known is None or all(one.storage_key != job.storage_key for one in controlled(known))


def note(tx: Tx, job: CopyJob, *, progress: Progress | None) -> bool:
    """Keeps what has been begun, so that another process can go on with it; False when the job is there no more."""
    if tx.get(COPIES, COPIES.key_of(job)) is None:
        return False
    tx.update(COPIES, [replace(job, progress=b"" if progress is None else _encode(progress))])
    return True


def finish(tx: Tx, job: CopyJob) -> bool:
    """Shows the copy (T-62); False when nobody wants it any more, or the job is there no more."""
    known = wanted(tx, job)
    if known is None or tx.get(COPIES, COPIES.key_of(job)) is None:
        return False
    copying = _copying(job)
    ready = replace(copying, ready=True)
    tx.update(OBJECTS, [with_instances(known, [ready if one == copying else one for one in instances_of(known)])])
    tx.delete(COPIES, [COPIES.key_of(job)])
    return True


def give_up(tx: Tx, job: CopyJob, *, now: int) -> bool:
    """Forgets a copy nobody wants; its bytes go once a worker that does not know yet can write no more of them.

    Returns whether there was a job. One whose copy is shown already is only forgotten.
    """
    if tx.get(COPIES, COPIES.key_of(job)) is None or wanted(tx, job) is not None:
        return False
    tx.delete(COPIES, [COPIES.key_of(job)])
    if is_gone(tx, job):
        tx.insert(GARBAGE, [Garbage(now + UPLOAD_GRACE, job.storage_key, job.storage_id)])
    return True


def put_off(tx: Tx, job: CopyJob, *, now: int) -> bool:
    """Has a job that failed tried again, later each time; returns whether it was there."""
    stored = tx.get(COPIES, COPIES.key_of(job))
    if stored is None:
        return False
    wait = min(FIRST_RETRY << min(job.tries, 16), LAST_RETRY)
    tx.delete(COPIES, [COPIES.key_of(job)])
    tx.insert(COPIES, [replace(stored, due=now + wait, tries=job.tries + 1)])
    return True


def _copying(job: CopyJob) -> Controlled:
    return Controlled(job.storage_id, job.storage_key, ready=False)
