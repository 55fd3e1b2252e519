"""Transactions, and what the SDK asks before it knows any: the version, and whether a bucket exists."""

from vast_emulator.engine.errors import missing
from vast_emulator.handlers.face import Face
from vast_emulator.message import OK, Answer, Call

_LISTING = b"<ListBucketResult><IsTruncated>false</IsTruncated><Marker></Marker></ListBucketResult>"


def begin(face: Face, _call: Call) -> Answer:
    """`POST ?transaction`; the second header names the node that answers, which the SDK groups its endpoints by."""
    return Answer(headers={"tabular-txid": str(face.engine.begin()), "x-vast-rcf-id": "E1:0"})


def commit(face: Face, call: Call) -> Answer:
    """`PUT ?transaction`."""
    face.engine.commit(call.txid)
    return OK


def rollback(face: Face, call: Call) -> Answer:
    """`DELETE ?transaction`."""
    face.engine.rollback(call.txid)
    return OK


def look(face: Face, call: Call) -> Answer:
    """`GET ?transaction`: the version probe, or a sign of life for an open transaction."""
    if "tabular-get-vast-version" not in call.headers:
        face.engine.touch(call.txid)
    return OK


def find_bucket(face: Face, call: Call) -> Answer:
    """`HEAD /bucket`."""
    _need_bucket(face, call)
    return OK


def list_snapshots(face: Face, call: Call) -> Answer:
    """`GET /bucket?list_type=2…`: there are no snapshots."""
    _need_bucket(face, call)
    return Answer(body=_LISTING)


def _need_bucket(face: Face, call: Call) -> None:
    if not face.engine.has_bucket(call.bucket):
        raise missing("Bucket", call.bucket)
