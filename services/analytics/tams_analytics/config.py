"""Configuration of analytics."""

import msgspec


class AnalyticsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Keys `TAMS_ANALYTICS_…`: none beyond what all services share."""
