"""The transactions of lanes: taking one, writing down what was done, giving it back. A replica that has lost a lane
writes nothing of it any more (ADR 0005)."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from tams_common.clock import date_time
from tams_common.http.codec import encode_json
from tams_common.store import Query, Reader, Tx, eq
from tams_webhooks.retry import Health
from tams_webhooks.tables import (
    ATTEMPTS,
    LANES,
    PARKED,
    REPLAY_PARKED,
    REPLAYS,
    WEBHOOKS,
    AttemptRow,
    LaneRow,
    ParkedRow,
    ReplayParkedRow,
    ReplayRow,
    Status,
    WebhookRow,
)

LIVE: frozenset[Status] = frozenset({"created", "started"})
"""The statuses with which a webhook is sent events."""


class Loaded(Struct, frozen=True):
    """All that is kept of a webhook's deliveries; `replays` are those that are not over, the oldest first, and
    `replay_parked` is what waits of them."""

    webhook: WebhookRow | None
    lane: LaneRow | None
    parked: dict[str, ParkedRow]
    replays: list[ReplayRow]
    replay_parked: list[ReplayParkedRow]


class Progress(Struct, frozen=True):
    """A step of a replay: its `row` after it, the flows whose place has changed, None for one that waits no more, and
    the attempts."""

    row: ReplayRow
    parked: Mapping[str, ReplayParkedRow | None]
    attempts: Sequence[AttemptRow]


class Step(Struct, frozen=True, kw_only=True):
    """What a lane has done since it last wrote: `parked` are the keys that changed, None for one that waits no more,
    `known` the keys that have a row. `until` 0 gives the lane back."""

    cursor: int
    until: int
    health: Health
    count: int
    parked: Mapping[str, ParkedRow | None]
    known: Collection[str]
    attempts: Sequence[AttemptRow]
    replay: Progress | None = None


class Error(Struct, frozen=True):
    """Why a webhook is in status `error` (s/error)."""

    type: str
    summary: str
    time: str


def load(reader: Reader, webhook_id: str) -> Loaded:
    """Everything of one webhook."""
    own = Query(where=(eq("webhook_id", webhook_id),))
    return Loaded(
        webhook=reader.get(WEBHOOKS, (webhook_id,)),
        lane=reader.get(LANES, (webhook_id,)),
        parked={row.key: row for row in reader.scan(PARKED, own).rows},
        replays=[row for row in reader.scan(REPLAYS, own).rows if not row.is_over],
        replay_parked=reader.scan(REPLAY_PARKED, own).rows,
    )


def take(tx: Tx, seen: Mapping[str, int], *, owner: str, until: int) -> list[LaneRow]:
    """Takes the lanes that were `seen` to be free in these versions, if nobody has taken them since, and their webhooks
    are sent events; a new webhook is `started` by that."""
    keys = [(webhook_id,) for webhook_id in seen]
    lanes, webhooks = tx.get_many(LANES, keys), tx.get_many(WEBHOOKS, keys)
    live = [key for key in keys if key in webhooks and webhooks[key].status in LIVE]
    taken = [lanes[key] for key in live if key in lanes and lanes[key].version == seen[lanes[key].webhook_id]]
    begun = [webhooks[row.webhook_id,] for row in taken if webhooks[row.webhook_id,].status == "created"]
    tx.update(
        WEBHOOKS,
        [replace(row, status="started", version=row.version + 1) for row in begun],
        expect=[row.version for row in begun],
    )
    return _owned(tx, taken, owner=owner, until=until)


def prolong(tx: Tx, webhook_ids: Iterable[str], *, owner: str, until: int) -> list[LaneRow]:
    """Renews those lanes that `owner` still has."""
    rows = tx.get_many(LANES, [(webhook_id,) for webhook_id in webhook_ids]).values()
    return _owned(tx, [row for row in rows if row.owner == owner], owner=owner, until=until)


def settle(tx: Tx, webhook_id: str, *, step: Step, owner: str, again: bool = False) -> LaneRow | None:
    """Writes `step`; returns the lane's row after it, None when `owner` has lost the lane.

    With `again` some attempts may be written already, by a commit whose answer was lost.
    """
    row = tx.get(LANES, (webhook_id,))
    if row is None or row.owner != owner:
        return None
    waiting = [parked for parked in step.parked.values() if parked is not None]
    tx.insert(PARKED, [parked for parked in waiting if parked.key not in step.known])
    tx.update(PARKED, [parked for parked in waiting if parked.key in step.known])
    tx.delete(PARKED, [(webhook_id, key) for key, parked in step.parked.items() if parked is None])
    known = tx.get_many(ATTEMPTS, map(ATTEMPTS.key_of, step.attempts)) if again else {}
    tx.insert(ATTEMPTS, [attempt for attempt in step.attempts if ATTEMPTS.key_of(attempt) not in known])
    if step.replay is not None:
        _settle_replay(tx, step.replay)
    after = LaneRow(
        webhook_id=webhook_id,
        cursor=step.cursor,
        owner=owner if step.until else "",
        until=step.until,
        version=row.version + 1,
        parked=step.count,
        failing_since=step.health.failing_since,
        attempted_at=step.health.attempted_at,
    )
    tx.update(LANES, [after], expect=[row.version])
    return after


def _settle_replay(tx: Tx, progress: Progress) -> None:
    """Writes a step of a replay, unless that has been ended meanwhile."""
    row = progress.row
    if tx.get(REPLAYS, REPLAYS.key_of(row)) is None:
        return
    tx.update(REPLAYS, [row])
    keys = {key: (row.webhook_id, row.id, key) for key in progress.parked}
    known = tx.get_many(REPLAY_PARKED, keys.values())
    waiting = [parked for parked in progress.parked.values() if parked is not None]
    tx.insert(REPLAY_PARKED, [parked for parked in waiting if keys[parked.key] not in known])
    tx.update(REPLAY_PARKED, [parked for parked in waiting if keys[parked.key] in known])
    tx.delete(
        REPLAY_PARKED, [keys[key] for key, parked in progress.parked.items() if parked is None and keys[key] in known]
    )


def fail(tx: Tx, webhook_id: str, *, summary: str, now: int) -> None:
    """Sets the webhook's status to `error`; `summary` says why (WHK-16)."""
    webhook = tx.get(WEBHOOKS, (webhook_id,))
    if webhook is None or webhook.status not in LIVE:
        return
    error = encode_json(Error("urn:tams:problem:webhook-failing", summary, date_time(now)))
    failed = replace(webhook, status="error", error=error, version=webhook.version + 1)
    tx.update(WEBHOOKS, [failed], expect=[webhook.version])


def _owned(tx: Tx, rows: Sequence[LaneRow], *, owner: str, until: int) -> list[LaneRow]:
    owned = [replace(row, owner=owner, until=until, version=row.version + 1) for row in rows]
    tx.update(LANES, owned, expect=[row.version for row in rows])
    return owned
