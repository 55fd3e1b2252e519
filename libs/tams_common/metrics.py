"""Prometheus metrics of requests, by route template and not by path, so that ids do not become time series."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
"""Seconds."""
_LABELS: Final = tuple(map(floatToGoString, (*_BOUNDS, float("inf"))))


def process_registry() -> CollectorRegistry:
    """A registry with what is known of the process itself."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class _Durations:
    """How many requests took how long: one number per bucket, not yet added up."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * len(_LABELS)
        self.seconds = 0.0

    def absorb(self, other: "_Durations") -> None:
        self.buckets = [mine + its for mine, its in zip(self.buckets, other.buckets, strict=True)]
        self.seconds += other.seconds


class RequestMetrics(Collector):
    """Counts requests by route, method and status, and their duration until the response starts by route and method.

    The numbers are plain ones of the event loop's thread and become metrics when they are asked for: the client
    library's own counters take a lock for each of the three changes that a request makes.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._known: dict[tuple[str, str, int], _Durations] = {}
        registry.register(self)

    def observe(self, route: str, method: str, *, status: int, seconds: float) -> None:
        """Notes one request; `route` is the template, empty for paths that do not exist."""
        key = (route, method, status)
        durations = self._known.get(key)
        if durations is None:
            durations = self._known[key] = _Durations()
        durations.buckets[bisect_left(_BOUNDS, seconds)] += 1
        durations.seconds += seconds

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        """The metrics as the registry wants them."""
        requests = CounterMetricFamily("tams_requests", "Requests answered", labels=("route", "method", "status"))
        durations: dict[tuple[str, str], _Durations] = {}
        for (route, method, status), known in self._known.items():
            requests.add_metric((route, method, str(status)), sum(known.buckets))
            durations.setdefault((route, method), _Durations()).absorb(known)
        yield requests
        seconds = HistogramMetricFamily(
            "tams_request_seconds", "Seconds until the response starts", labels=("route", "method")
        )
        for labels, known in durations.items():
            buckets = list(zip(_LABELS, accumulate(known.buckets), strict=True))
            seconds.add_metric(labels, buckets, sum_value=known.seconds)
        yield seconds
