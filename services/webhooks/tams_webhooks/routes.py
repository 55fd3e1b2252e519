"""The paths that webhooks answers."""

import msgspec

from tams_common.http.routing import Handler, Route
from tams_webhooks import operations as ops
from tams_webhooks.handlers.deliveries import DeliveryHandlers
from tams_webhooks.handlers.events import Events
from tams_webhooks.handlers.webhooks import Webhooks


class Handlers(msgspec.Struct, frozen=True, kw_only=True):
    """One handler for each route."""

    webhooks: Webhooks
    get_keys: Handler
    events: Events
    get_asyncapi: Handler
    deliveries: DeliveryHandlers


def routes(h: Handlers) -> tuple[Route, ...]:
    """The list, in the specification's order; the last ones are ours."""
    return (
        Route("GET", "/service/webhooks", h.webhooks.list, operation=ops.LIST_WEBHOOKS),
        Route("POST", "/service/webhooks", h.webhooks.post, operation=ops.CREATE_WEBHOOK),
        Route("GET", "/service/webhooks/{webhook_id}", h.webhooks.get, operation=ops.GET_WEBHOOK),
        Route("PUT", "/service/webhooks/{webhook_id}", h.webhooks.put, operation=ops.REPLACE_WEBHOOK),
        Route("DELETE", "/service/webhooks/{webhook_id}", h.webhooks.delete, operation=ops.DELETE_WEBHOOK),
        Route("GET", "/service/webhooks/{webhook_id}/deliveries", h.deliveries.list, operation=ops.LIST_DELIVERIES),
        Route("POST", "/service/webhooks/{webhook_id}/deliveries/replay", h.deliveries.replay, operation=ops.REPLAY),
        Route(
            "GET", "/service/webhooks/{webhook_id}/deliveries/replays", h.deliveries.replays, operation=ops.LIST_REPLAYS
        ),
        Route(
            "DELETE",
            "/service/webhooks/{webhook_id}/deliveries/replays/{replay_id}",
            h.deliveries.cancel,
            operation=ops.CANCEL_REPLAY,
        ),
        Route("POST", "/service/webhooks/{webhook_id}/deliveries/retry", h.deliveries.retry, operation=ops.RETRY),
        Route("POST", "/service/webhooks/{webhook_id}/deliveries/test", h.deliveries.test, operation=ops.TEST_WEBHOOK),
        Route("GET", "/.well-known/webhook-keys.json", h.get_keys, operation=ops.GET_KEYS),
        Route("GET", "/events", h.events.get, operation=ops.FOLLOW),
        Route("GET", "/asyncapi.json", h.get_asyncapi, operation=ops.GET_ASYNCAPI),
    )
