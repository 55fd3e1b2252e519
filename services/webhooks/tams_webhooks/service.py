"""Composition root of webhooks."""

from tams_common.runtime.service import Built, Parts, Service
from tams_webhooks.config import WebhooksConfig
from tams_webhooks.routes import ROUTES
from tams_webhooks.tables import TABLES


def build(config: WebhooksConfig, parts: Parts) -> Built:
    """Puts the service together."""
    return Built(routes=ROUTES)


SERVICE = Service(name="webhooks", config=WebhooksConfig, build=build, tables=TABLES)
