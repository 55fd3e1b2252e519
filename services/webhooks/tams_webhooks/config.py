"""Configuration of webhooks."""

import msgspec


class WebhooksConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Keys `TAMS_WEBHOOKS_…`: none beyond what all services share."""
