"""The analytics service: facts and rollups built from events."""
