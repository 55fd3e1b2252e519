"""The paths that webhooks answers."""

import msgspec

from tams_common.http.routing import Handler, Route


class Handlers(msgspec.Struct, frozen=True, kw_only=True):
    """One handler for each route."""

    get_keys: Handler


def routes(h: Handlers) -> tuple[Route, ...]:
    """The list, in the specification's order; the public keys are ours."""
    return (Route("GET", "/.well-known/webhook-keys.json", h.get_keys),)
