"""What the routes of webhooks take and answer, for `/openapi.json`."""

from typing import Final, get_args

from msgspec import UNSET, Raw, Struct, UnsetType

from tams_common.http.openapi import UUID, Answer, Json, ListOf, Media, Operation, Parameter
from tams_common.http.parameters import DONE, LIMIT, LIST_HEADERS, PAGE, PAGE_HEADERS, REVERSE, TEXT, UUIDS, tags
from tams_webhooks.deliveries import ReplayPost
from tams_webhooks.handlers.deliveries import OUTCOMES, TYPES, AttemptShown, ReplayShown, RetryShown
from tams_webhooks.handlers.keys import KeySet
from tams_webhooks.tables import Status
from tams_webhooks.webhook import EventType, Webhook, WebhookPost, WebhookPut


class Error(Struct, frozen=True):
    """Why a webhook is in status `error` (s/error)."""

    type: str
    summary: str
    time: str
    traceback: list[str] | UnsetType = UNSET


class WebhookShown(Webhook, frozen=True, kw_only=True):
    """A webhook as GET shows it (s/webhook-get): never with its api key value."""

    id: str
    status: Status
    error: Error | UnsetType = UNSET


_WEBHOOK: Final[Json] = {
    "url": "https://receiver.example/hook",
    "api_key_name": "X-Key",
    "api_key_value": "my-api-key",
    "events": ["flows/created", "flows/segments_added"],
}
LIST_WEBHOOKS: Final = Operation(
    summary="The webhooks of whoever asks",
    parameters=(REVERSE, *tags("tag", "webhooks"), PAGE, LIMIT),
    answers={200: Answer("A page of the webhooks, by url.", ListOf(WebhookShown), LIST_HEADERS)},
    refusals=(400,),
)
CREATE_WEBHOOK: Final = Operation(
    summary="Register a webhook",
    body=WebhookPost,
    example=_WEBHOOK,
    answers={201: Answer("It gets the events from here on.", WebhookShown, ("Location",))},
    refusals=(400,),
)
GET_WEBHOOK: Final = Operation(
    summary="A webhook", answers={200: Answer("As it is now.", WebhookShown)}, refusals=(404,)
)
REPLACE_WEBHOOK: Final = Operation(
    summary="Replace a webhook; its api key value stays unless a new one is given",
    body=WebhookPut,
    example={"id": "60000000-0000-4000-8000-000000000001", **_WEBHOOK, "status": "created"},
    answers={201: Answer("As it is now.", WebhookShown)},
    refusals=(400, 403, 404),
)
DELETE_WEBHOOK: Final = Operation(summary="Delete a webhook", answers={204: DONE}, refusals=(403, 404))

_ATTEMPT_FILTERS: Final = (
    Parameter("outcome", "Only attempts that ended so.", TEXT | {"enum": list(OUTCOMES)}),
    Parameter("event_type", "Only attempts with events of this type.", TEXT | {"enum": list(TYPES)}),
    Parameter("key", "Only attempts with events of this flow or source.", UUID),
)
LIST_DELIVERIES: Final = Operation(
    summary="The attempts to deliver to a webhook",
    parameters=(*_ATTEMPT_FILTERS, PAGE, LIMIT),
    answers={200: Answer("A page of the attempts, the newest first.", ListOf(AttemptShown), PAGE_HEADERS)},
    refusals=(400, 404),
)
REPLAY: Final = Operation(
    summary="Send events again",
    body=ReplayPost,
    example={"failed": True},
    answers={202: Answer("They are sent beside new ones.", ReplayShown)},
    refusals=(400, 404),
)
LIST_REPLAYS: Final = Operation(
    summary="What was asked to be sent again",
    answers={200: Answer("The latest replays, the newest first.", ListOf(ReplayShown))},
    refusals=(404,),
)
CANCEL_REPLAY: Final = Operation(
    summary="Send no more of a replay, and forget it", answers={204: DONE}, refusals=(404,)
)
RETRY: Final = Operation(
    summary="Try now what waits for a further try",
    answers={202: Answer("It is tried, whatever pause the receiver asked for.", RetryShown)},
    refusals=(400, 404),
)
TEST_WEBHOOK: Final = Operation(
    summary="Send a test event now",
    answers={200: Answer("What came of it.", AttemptShown)},
    refusals=(404,),
)
GET_KEYS: Final = Operation(
    summary="The public keys by which receivers verify deliveries",
    answers={200: Answer("A JSON Web Key Set.", KeySet)},
)
FOLLOW: Final = Operation(
    summary="Follow the store: every event as it is made, as server-sent events without an end",
    parameters=(
        Parameter(
            "type", f"Only events of these types, with commas between them: {', '.join(get_args(EventType))}.", TEXT
        ),
        Parameter("flow_id", "Only events of these flows, with commas between them.", UUIDS),
        Parameter("source_id", "Only events of these sources and of their flows, with commas between them.", UUIDS),
        Parameter(
            "last_event_id",
            "Go on after the event with this id, 0 for the oldest; the header Last-Event-ID wins.",
            TEXT,
        ),
    ),
    answers={
        200: Answer(
            "The stream, as `curl -N` shows it: this page waits for its end in vain.", Media("text/event-stream")
        )
    },
    refusals=(400,),
)
GET_ASYNCAPI: Final = Operation(
    summary="The events on Kafka, as an AsyncAPI 3 document",
    answers={200: Answer("The document.", Raw)},
)
