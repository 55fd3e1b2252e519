"""Prometheus metrics of requests, by route template and not by path, so that ids do not become time series."""

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, PlatformCollector, ProcessCollector


def process_registry() -> CollectorRegistry:
    """A registry with what is known of the process itself."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class RequestMetrics:
    """Counts requests by route, method and status, and their duration until the response starts by route and method."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter("tams_requests", "Requests answered", ("route", "method", "status"), registry=registry)
        self._seconds = Histogram(
            "tams_request_seconds",
            "Seconds until the response starts",
            ("route", "method"),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=registry,
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def observe(self, route: str, method: str, *, status: int, seconds: float) -> None:
        """Notes one request; `route` is the template, empty for paths that do not exist."""
        key = (route, method, status)
        children = self._children.get(key)
        if children is None:
            children = (self._requests.labels(route, method, str(status)), self._seconds.labels(route, method))
            self._children[key] = children
        children[0].inc()
        children[1].observe(seconds)
