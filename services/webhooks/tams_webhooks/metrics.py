"""Prometheus metrics of deliveries: what attempts came to, and how far behind they are. No webhook has its own."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Final, get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from tams_common.clock import SECOND, Clock
from tams_webhooks.dispatcher import Dispatcher
from tams_webhooks.tables import Outcome, Status
from tams_webhooks.tally import BOUNDS, Tally

_LABELS: Final = tuple(map(floatToGoString, (*BOUNDS, float("inf"))))


class DeliveryMetrics(Collector):
    """Tells of `tally` and of the lanes of `dispatcher` whenever it is asked, from memory."""

    def __init__(self, registry: CollectorRegistry, tally: Tally, *, dispatcher: Dispatcher, clock: Clock) -> None:
        self._tally = tally
        self._dispatcher = dispatcher
        self._clock = clock
        registry.register(self)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        """The metrics as the registry wants them."""
        attempts = CounterMetricFamily("tams_webhook_attempts", "Attempts to deliver", labels=("outcome",))
        for outcome in get_args(Outcome):
            if outcome != "skipped":
                attempts.add_metric((outcome,), self._tally.outcomes[outcome])
        yield attempts
        buckets = list(zip(_LABELS, accumulate(self._tally.buckets), strict=True))
        yield HistogramMetricFamily(
            "tams_webhook_attempt_seconds",
            "Seconds until the answer of a receiver",
            buckets=buckets,
            sum_value=self._tally.seconds,
        )
        lanes = self._dispatcher.lanes
        oldest = min(filter(None, (lane.waits_since for lane in lanes)), default=0)
        lag = max(self._clock() - oldest, 0) / SECOND if oldest else 0.0
        yield GaugeMetricFamily("tams_webhook_lag_seconds", "Age of the oldest event to be delivered here", value=lag)
        waiting = sum(lane.parked for lane in lanes)
        yield GaugeMetricFamily("tams_webhook_parked", "Flows that wait behind an event here", value=waiting)
        webhooks = GaugeMetricFamily("tams_webhooks", "Webhooks of the store", labels=("status",))
        for status in get_args(Status):
            webhooks.add_metric((status,), self._dispatcher.statuses.get(status, 0))
        yield webhooks
