"""What owners see of the deliveries to their webhooks, and what they can ask for: a replay, a retry, a test."""

from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, NamedTuple

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from tams_common.auth import Principal
from tams_common.clock import Clock
from tams_common.errors import InvalidInput, NotFound
from tams_common.events import timestamp
from tams_common.http.codec import encode_json
from tams_common.ids import EventId, IdSource
from tams_common.store import Condition, Page, Query, Reader, Store, Tx, eq
from tams_webhooks import restarting
from tams_webhooks.courier import Courier
from tams_webhooks.log import FIRST, head_of
from tams_webhooks.registering import find
from tams_webhooks.tables import (
    ATTEMPTS,
    EVENT_LOG,
    LANES,
    PARKED,
    REPLAY_PARKED,
    REPLAYS,
    THE_LOG,
    AttemptRow,
    LaneRow,
    LogHead,
    ReplayKind,
    ReplayRow,
    WebhookRow,
)

TEST: Final = "webhooks/test"
"""The type of the event that only `test` sends; it is no event of the store."""
MOST_OPEN: Final = 20
MOST_KEPT: Final = 100
"""Replays of one webhook that are not over, and those that are shown at all."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Moment = Annotated[datetime, Meta(tz=True)]


class ReplayPost(Struct, frozen=True):
    """What is to be sent again: one event, or those that arrived from `since` to before `until`; with `failed` those
    whose last try failed then. Without `since` from the oldest that is kept, without `until` up to now.

    What is still to come by itself is left out."""

    event_id: str | UnsetType = UNSET
    failed: bool = False
    since: Moment | UnsetType = UNSET
    until: Moment | UnsetType = UNSET


class Position(NamedTuple):
    """Where a page of attempts ended."""

    at: int
    number: int


class Deliveries:
    """The use cases; all raise `NotFound` for a webhook that the principal may not see."""

    def __init__(self, store: Store, courier: Courier, *, clock: Clock, new_id: IdSource) -> None:
        self._store = store
        self._courier = courier
        self._clock = clock
        self._new_id = new_id

    async def page(
        self, webhook_id: str, principal: Principal, *, where: tuple[Condition, ...], after: Position | None, limit: int
    ) -> Page[AttemptRow]:
        """Attempts that meet `where`, the newest first."""

        def read(tx: Reader) -> Page[AttemptRow]:
            find(tx, webhook_id, principal=principal)
            beyond = None if after is None else (webhook_id, *after)
            return tx.scan(ATTEMPTS, Query((eq("webhook_id", webhook_id), *where), (), beyond, limit, reverse=True))

        return await self._store.read(read)

    async def replays(self, webhook_id: str, *, principal: Principal) -> list[ReplayRow]:
        """What was asked for, the newest first."""

        def read(tx: Reader) -> list[ReplayRow]:
            find(tx, webhook_id, principal=principal)
            return _replays(tx, webhook_id)[::-1][:MOST_KEPT]

        return await self._store.read(read)

    async def replay(self, webhook_id: str, asked: ReplayPost, *, principal: Principal) -> ReplayRow:
        """Has events sent again; raises `InvalidInput` for none, or a webhook that sends nothing."""
        created, replay_id = self._clock(), self._new_id()

        def write(tx: Tx) -> ReplayRow:
            _check_sends(find(tx, webhook_id, principal=principal))
            lane = _mark(tx, webhook_id)
            kind, first, last = _range_of(tx, asked)
            since, until = _time_of(asked, lane=lane, now=created)
            row = ReplayRow(
                webhook_id=webhook_id,
                created=created,
                id=replay_id,
                kind=kind,
                cursor=first,
                end=max(first, min(last, lane.cursor + 1)),
                since=since,
                until=until,
            )
            known = _replays(tx, webhook_id)
            over = [each for each in known if each.is_over]
            if len(known) - len(over) >= MOST_OPEN:
                raise InvalidInput(f"{MOST_OPEN} replays of this webhook are not over yet")
            tx.delete(REPLAYS, [REPLAYS.key_of(each) for each in over[: max(0, len(known) - MOST_KEPT)]])
            tx.insert(REPLAYS, [row])
            return row

        return await self._store.run(write)

    async def cancel(self, webhook_id: str, replay_id: str, *, principal: Principal) -> None:
        """Ends a replay, and forgets it; raises `NotFound` for none. Requests that are under way go on."""

        def remove(tx: Tx) -> None:
            find(tx, webhook_id, principal=principal)
            row = next((row for row in _replays(tx, webhook_id) if row.id == replay_id), None)
            if row is None:
                raise NotFound(f"there is no replay {replay_id} of this webhook")
            own = Query((eq("webhook_id", webhook_id), eq("replay_id", replay_id)))
            tx.delete(REPLAY_PARKED, [REPLAY_PARKED.key_of(parked) for parked in tx.scan(REPLAY_PARKED, own).rows])
            tx.delete(REPLAYS, [REPLAYS.key_of(row)])
            _mark(tx, webhook_id)

        await self._store.run(remove)

    async def retry(self, webhook_id: str, *, principal: Principal) -> int:
        """Has everything that waits for a further try sent at once, with all tries, and even if the receiver asked for
        a pause; returns how many flows that are. Raises `InvalidInput` for a webhook that sends nothing."""
        now = self._clock()

        def write(tx: Tx) -> int:
            _check_sends(find(tx, webhook_id, principal=principal))
            own = Query((eq("webhook_id", webhook_id),))
            count = len(tx.scan(PARKED, own).rows) + len(tx.scan(REPLAY_PARKED, own).rows)
            restarting.resume(tx, webhook_id, now=now)
            return count

        return await self._store.run(write)

    async def test(self, webhook_id: str, *, principal: Principal) -> AttemptRow:
        """Sends an event of type `webhooks/test` once, now, whatever the webhook's status; returns the attempt."""
        webhook = await self._store.read(lambda tx: find(tx, webhook_id, principal=principal), bounded=True)
        attempt = await self._tested(webhook)

        def write(tx: Tx) -> AttemptRow:
            find(tx, webhook_id, principal=principal)
            noted = attempt
            while tx.get(ATTEMPTS, (webhook_id, noted.at, noted.number)) is not None:
                noted = replace(noted, at=noted.at + 1)
            tx.insert(ATTEMPTS, [noted])
            _mark(tx, webhook_id)
            return noted

        return await self._store.run(write)

    async def _tested(self, webhook: WebhookRow) -> AttemptRow:
        at, event_id = self._clock(), EventId(self._new_id())
        event = {"event_type": TEST, "event_timestamp": timestamp(at), "event": {"webhook_id": webhook.id}}
        async with self._courier.turns:
            answer = await self._courier.send(self._courier.target(webhook), event_id, body=encode_json(event))
        return AttemptRow(
            webhook_id=webhook.id,
            at=at,
            number=0,
            event_id=event_id,
            event_type=TEST,
            key=webhook.id,
            tries=1,
            outcome="delivered" if answer.delivered else "failed",
            status=answer.status,
            latency=answer.latency,
            error=answer.error,
            due=0,
        )


def _check_sends(webhook: WebhookRow) -> None:
    if webhook.status == "disabled":
        raise InvalidInput("the webhook is disabled: nothing is sent to it")


def _replays(reader: Reader, webhook_id: str) -> list[ReplayRow]:
    return reader.scan(REPLAYS, Query((eq("webhook_id", webhook_id),))).rows


def _mark(tx: Tx, webhook_id: str) -> LaneRow:
    """Writes the lane's row: it guards what belongs to the webhook, and its version tells the lane to look."""
    lane = tx.get(LANES, (webhook_id,))
    if lane is None:
        raise NotFound(f"there is no webhook {webhook_id}")
    tx.update(LANES, [replace(lane, version=lane.version + 1)], expect=[lane.version])
    return lane


def _range_of(tx: Reader, asked: ReplayPost) -> tuple[ReplayKind, int, int]:
    """What is to be sent again: the kind of replay, and the numbers from the first to before the last one."""
    if asked.event_id is not UNSET:
        if asked.failed or asked.since is not UNSET or asked.until is not UNSET:
            raise InvalidInput("event_id names one event; failed, since and until are about many", field="$.event_id")
        number = _number_of(tx, asked.event_id)
        return "range", number, number + 1
    head = head_of(tx)
    if asked.failed:
        return "failed", FIRST, head.next
    if asked.since is UNSET and asked.until is UNSET:
        raise InvalidInput("expected one of event_id, failed, since and until", field="$")
    first = _first_since(tx, 0 if asked.since is UNSET else _ns(asked.since), head=head)
    last = head.next if asked.until is UNSET else _first_since(tx, _ns(asked.until), head=head)
    if first >= last:
        raise InvalidInput("no event is kept that arrived from since to before until", field="$.since")
    return "range", first, last


def _time_of(asked: ReplayPost, *, lane: LaneRow, now: int) -> tuple[int, int]:
    """The moments (ns) of attempts from which and before which is asked."""
    since = 0 if asked.since is UNSET else _ns(asked.since)
    # An attempt is never earlier than the one before, but may be later than the clock says.
    return since, max(now, lane.attempted_at) + 1 if asked.until is UNSET else _ns(asked.until)


def _number_of(tx: Reader, event_id: str) -> int:
    rows = tx.select(EVENT_LOG, ("number",), query=Query((eq("id", event_id),), order=("id", "number"), limit=1)).rows
    if not rows:
        raise InvalidInput(f"no event with the id {event_id} is kept", field="$.event_id")
    return int(rows[0][0] or 0)


def _first_since(tx: Reader, moment: int, *, head: LogHead) -> int:
    """The number of the first event that arrived at `moment` (ns) or later."""

    def arrived(number: int) -> int:
        row = tx.get(EVENT_LOG, (THE_LOG, number))
        return 0 if row is None else row.appended

    return bisect_left(range(head.next), moment, lo=head.oldest, key=arrived)


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
