"""Copies that are to be made, as rows: each step is one transaction, and none is taken for a copy nobody wants.

Every upload has a key of its own, which is drawn for it and never again. It stands in its job until it is either given
to the instance that is shown or, in the transaction that takes it away from there, to the collector. So nobody who is
late, whatever he does to his own upload, can reach the bytes of an instance that another worker has shown.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from tams_common.clock import SECOND
from tams_common.objects import Upload
from tams_common.store import Query, Reader, Tx
from tams_segments.collector import UPLOAD_GRACE
from tams_segments.instances import Controlled, instances_of, with_instances
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


def note(tx: Tx, job: CopyJob, *, progress: Progress | None, now: int) -> bool:
    """Keeps what has been begun, so that another process can go on with it; the bytes of what it replaces are given up.

    False when the job is there no more.
    """
    stored = tx.get(COPIES, COPIES.key_of(job))
    if stored is None:
        return False
    _discard(tx, stored, now=now)
    tx.update(COPIES, [replace(stored, progress=b"" if progress is None else _encode(progress))])
    return True


def finish(tx: Tx, job: CopyJob, *, upload: Upload) -> bool:
    """Shows the bytes of `upload` as the copy (T-62).

    False when nobody wants it any more, the job is there no more, or another upload has taken this one's place.
    """
    known, stored = wanted(tx, job), tx.get(COPIES, COPIES.key_of(job))
    begun = None if stored is None else progress_of(stored)
    if known is None or begun is None or begun.upload != upload:
        return False
    copying = _copying(job)
    ready = replace(copying, storage_key=upload.key, ready=True)
    tx.update(OBJECTS, [with_instances(known, [ready if one == copying else one for one in instances_of(known)])])
    tx.delete(COPIES, [COPIES.key_of(job)])
    return True


def give_up(tx: Tx, job: CopyJob, *, now: int) -> bool:
    """Forgets a copy nobody wants, and gives up its bytes; returns whether there was a job."""
    stored = tx.get(COPIES, COPIES.key_of(job))
    if stored is None or wanted(tx, job) is not None:
        return False
    tx.delete(COPIES, [COPIES.key_of(job)])
    _discard(tx, stored, now=now)
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


def _discard(tx: Tx, stored: CopyJob, *, now: int) -> None:
    """Has the bytes of what was begun removed once a worker that does not know yet can write no more of them."""
    begun = progress_of(stored)
    if begun is not None:
        tx.insert(GARBAGE, [Garbage(now + UPLOAD_GRACE, begun.upload.key, stored.storage_id)])


def _copying(job: CopyJob) -> Controlled:
    return Controlled(job.storage_id, job.storage_key, ready=False)
