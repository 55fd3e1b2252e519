"""`/service/webhooks/{webhookId}/deliveries`: what happened, and once more please (ours)."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final, get_args

from msgspec import Struct

from tams_common.config import Common
from tams_common.events import timestamp
from tams_common.http.codec import decode_json, json_response, no_content
from tams_common.http.message import Request, Response
from tams_common.http.paging import Paging
from tams_common.http.query import Params
from tams_common.http.routing import path_uuid
from tams_common.store import Condition, eq
from tams_webhooks.deliveries import TEST, Deliveries, Position, ReplayPost
from tams_webhooks.tables import AttemptRow, Outcome, ReplayRow
from tams_webhooks.webhook import EventType

OUTCOMES: Final = get_args(Outcome)
TYPES: Final = (*get_args(EventType), TEST)


class AttemptShown(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An attempt: `at` and `next_try` are date-times, `tries` counts those of the event so far, this one included.

    With outcome `skipped` it is none, but a note that events could not be delivered any more.
    """

    at: str
    outcome: Outcome
    event_id: str = ""
    event_type: str = ""
    key: str = ""
    tries: int = 0
    status: int | None = None
    latency_ms: float | None = None
    error: str = ""
    next_try: str = ""
    replay_id: str = ""


class ReplayShown(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A replay: how many events were sent and how many have failed so far, and whether that is all.

    `parked` flows wait in it; one of them is tried next at `next_try`, with an event of which `tries` attempts have
    failed.
    """

    id: str
    created: str
    done: bool
    sent: int
    failed: int
    only_failed: bool = False
    parked: int = 0
    tries: int = 0
    next_try: str = ""


class RetryShown(Struct, frozen=True):
    """What is tried again now: `parked` counts the flows that waited, those that wait in a replay included."""

    parked: int


class DeliveryHandlers:
    """The handlers; `changed` is called when there is something new to deliver."""

    def __init__(self, deliveries: Deliveries, common: Common, *, changed: Callable[[], None]) -> None:
        self._deliveries = deliveries
        self._common = common
        self._changed = changed

    async def list(self, request: Request) -> Response:
        """GET: attempts, the newest first; `outcome`, `key` and `event_type` filter them."""
        params = Params.parse(request.query)
        paging = Paging(request, params, default=self._common.default_limit, maximum=self._common.max_limit)
        page = await self._deliveries.page(
            path_uuid(request, "webhook_id"),
            request.context.principal,
            where=_conditions(params),
            after=paging.position(Position),
            limit=paging.limit,
        )
        following = Position(page.rows[-1].at, page.rows[-1].number) if page.more else None
        return json_response([_attempt(row) for row in page.rows], headers=paging.headers(following))

    async def replays(self, request: Request) -> Response:
        """GET replays: the newest first."""
        webhook_id = path_uuid(request, "webhook_id")
        rows = await self._deliveries.replays(webhook_id, principal=request.context.principal)
        return json_response([_replay(row) for row in rows])

    async def replay(self, request: Request) -> Response:
        """POST replay: 202, as it happens beside the deliveries of new events."""
        asked = decode_json(await request.read(), ReplayPost)
        webhook_id = path_uuid(request, "webhook_id")
        row = await self._deliveries.replay(webhook_id, asked, principal=request.context.principal)
        self._changed()
        return json_response(_replay(row), HTTPStatus.ACCEPTED)

    async def cancel(self, request: Request) -> Response:
        """DELETE a replay: 204."""
        webhook_id, replay_id = path_uuid(request, "webhook_id"), path_uuid(request, "replay_id")
        await self._deliveries.cancel(webhook_id, replay_id, principal=request.context.principal)
        self._changed()
        return no_content()

    async def retry(self, request: Request) -> Response:
        """POST retry: 202, as the tries follow."""
        webhook_id = path_uuid(request, "webhook_id")
        count = await self._deliveries.retry(webhook_id, principal=request.context.principal)
        self._changed()
        return json_response(RetryShown(count), HTTPStatus.ACCEPTED)

    async def test(self, request: Request) -> Response:
        """POST test: 200 with the attempt, whatever came of it."""
        webhook_id = path_uuid(request, "webhook_id")
        return json_response(_attempt(await self._deliveries.test(webhook_id, principal=request.context.principal)))


def _conditions(params: Params) -> tuple[Condition, ...]:
    asked = {
        "outcome": params.choice("outcome", OUTCOMES),
        "event_type": params.choice("event_type", TYPES),
        "key": params.uuid("key"),
    }
    return tuple(eq(name, value) for name, value in asked.items() if value is not None)


def _attempt(row: AttemptRow) -> AttemptShown:
    was_made = row.outcome != "skipped"
    return AttemptShown(
        at=timestamp(row.at),
        outcome=row.outcome,
        event_id=row.event_id,
        event_type=row.event_type,
        key=row.key,
        tries=row.tries,
        status=row.status,
        latency_ms=row.latency / 1_000_000 if was_made else None,
        error=row.error,
        next_try=timestamp(row.due) if row.due else "",
        replay_id=row.replay_id,
    )


def _replay(row: ReplayRow) -> ReplayShown:
    return ReplayShown(
        id=row.id,
        created=timestamp(row.created),
        done=row.is_over,
        sent=row.sent,
        failed=row.failed,
        only_failed=row.kind == "failed",
        parked=row.parked,
        tries=row.tries,
        next_try=timestamp(row.due) if row.due else "",
    )
