"""What the routes of webhooks take and answer, for `/openapi.json`."""

from typing import Final

from msgspec import UNSET, Struct, UnsetType

from tams_common.http.openapi import Answer, ListOf, Operation
from tams_common.http.parameters import DONE, LIMIT, LIST_HEADERS, PAGE, REVERSE, tags
from tams_webhooks.tables import Status
from tams_webhooks.webhook import Webhook, WebhookPost, WebhookPut


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


LIST_WEBHOOKS: Final = Operation(
    summary="The webhooks of whoever asks",
    parameters=(REVERSE, *tags("tag", "webhooks"), PAGE, LIMIT),
    answers={200: Answer("A page of the webhooks, by url.", ListOf(WebhookShown), LIST_HEADERS)},
    refusals=(400,),
)
CREATE_WEBHOOK: Final = Operation(
    summary="Register a webhook",
    body=WebhookPost,
    answers={201: Answer("It gets the events from here on.", WebhookShown, ("Location",))},
    refusals=(400,),
)
GET_WEBHOOK: Final = Operation(
    summary="A webhook", answers={200: Answer("As it is now.", WebhookShown)}, refusals=(404,)
)
REPLACE_WEBHOOK: Final = Operation(
    summary="Replace a webhook; its api key value stays unless a new one is given",
    body=WebhookPut,
    answers={201: Answer("As it is now.", WebhookShown)},
    refusals=(400, 403, 404),
)
DELETE_WEBHOOK: Final = Operation(summary="Delete a webhook", answers={204: DONE}, refusals=(403, 404))
