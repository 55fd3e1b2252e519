"""What a change to a webhook does to its lane: every function here also takes the lane from the replica that has it,
so that nothing which that replica read before the change is written after it."""

from msgspec.structs import replace

from tams_common.store import Query, Tx, eq
from tams_webhooks.log import newest
from tams_webhooks.tables import LANES, PARKED, REPLAY_PARKED, REPLAYS, LaneRow


def halt(tx: Tx, webhook_id: str) -> None:
    """Sends nothing more."""
    _write(tx, _lane(tx, webhook_id))


def start_anew(tx: Tx, webhook_id: str) -> None:
    """Goes on at the end of the log; what waited is dropped."""
    _drop_waiting(tx, webhook_id)
    _write(tx, replace(_lane(tx, webhook_id), cursor=newest(tx), parked=0, failing_since=0))


def resume(tx: Tx, webhook_id: str, *, now: int) -> None:
    """Goes on where it was, as if nothing had failed: parked flows are due at once (`now`, in ns), with all tries."""
    waiting = Query(where=(eq("webhook_id", webhook_id),))
    tx.update(PARKED, [replace(row, tries=0, due=now) for row in tx.scan(PARKED, waiting).rows])
    tx.update(REPLAY_PARKED, [replace(row, tries=0, due=now) for row in tx.scan(REPLAY_PARKED, waiting).rows])
    tx.update(REPLAYS, [replace(row, tries=0, due=now) for row in tx.scan(REPLAYS, waiting).rows if row.parked])
    _write(tx, replace(_lane(tx, webhook_id), failing_since=0))


def remove(tx: Tx, webhook_id: str) -> None:
    """Takes the lane away; its attempts are removed later, as they may be many."""
    _drop_waiting(tx, webhook_id)
    tx.delete(LANES, [(webhook_id,)])


def _lane(tx: Tx, webhook_id: str) -> LaneRow:
    lane = tx.get(LANES, (webhook_id,))
    if lane is None:
        raise RuntimeError(f"webhook {webhook_id} has no lane: the two are written together")
    return lane


def _write(tx: Tx, lane: LaneRow) -> None:
    tx.update(LANES, [replace(lane, owner="", until=0, version=lane.version + 1)], expect=[lane.version])


def _drop_waiting(tx: Tx, webhook_id: str) -> None:
    waiting = Query(where=(eq("webhook_id", webhook_id),))
    tx.delete(PARKED, [PARKED.key_of(row) for row in tx.scan(PARKED, waiting).rows])
    tx.delete(REPLAYS, [REPLAYS.key_of(row) for row in tx.scan(REPLAYS, waiting).rows])
    tx.delete(REPLAY_PARKED, [REPLAY_PARKED.key_of(row) for row in tx.scan(REPLAY_PARKED, waiting).rows])
