"""Composition root of analytics."""

from tams_analytics.config import AnalyticsConfig
from tams_analytics.routes import ROUTES
from tams_analytics.tables import TABLES
from tams_common.runtime.service import Built, Parts, Service


def build(config: AnalyticsConfig, parts: Parts) -> Built:
    """Puts the service together."""
    return Built(routes=ROUTES)


SERVICE = Service(name="analytics", config=AnalyticsConfig, build=build, tables=TABLES)
