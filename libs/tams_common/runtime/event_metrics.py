"""Prometheus metrics of the event path: what waits to leave a service, and what has come in."""

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from tams_common.clock import SECOND, Clock
from tams_common.inbox import Subscription
from tams_common.outbox import Relay
from tams_common.runtime.service import Behaviour


class EventMetrics(Collector):
    """Tells of the relays and subscriptions among `behaviours` (by service) whenever it is asked.

    Ages are in seconds by the events' own moments. Several replicas see the same outbox, of which one relays it and
    tells; what is far behind its bus shows as an age, not as a number of records.
    """

    def __init__(
        self, registry: CollectorRegistry, behaviours: Mapping[str, Sequence[Behaviour]], *, clock: Clock
    ) -> None:
        self._relays: dict[str, Relay] = {}
        self._subscriptions: list[Subscription] = []
        self._clock = clock
        for service, running in behaviours.items():
            for behaviour in running:
                if isinstance(behaviour, Relay):
                    self._relays[service] = behaviour
                elif isinstance(behaviour, Subscription):
                    self._subscriptions.append(behaviour)
        registry.register(self)

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """The metrics as the registry wants them."""
        rows = GaugeMetricFamily("tams_outbox_rows", "Events to be relayed, up to a batch", labels=("service",))
        oldest = GaugeMetricFamily("tams_outbox_oldest_seconds", "Age of the oldest of them", labels=("service",))
        for service, relay in self._relays.items():
            rows.add_metric((service,), relay.backlog.rows)
            oldest.add_metric((service,), self._age(relay.backlog.oldest))
        applied = CounterMetricFamily("tams_inbox_applied", "Events taken from the bus", labels=("group",))
        dead = CounterMetricFamily("tams_inbox_dead", "Events set aside as poison", labels=("group",))
        lag = GaugeMetricFamily("tams_inbox_lag_seconds", "Age of what is being applied", labels=("group",))
        for subscription in self._subscriptions:
            applied.add_metric((subscription.group,), subscription.progress.applied)
            dead.add_metric((subscription.group,), subscription.progress.dead)
            lag.add_metric((subscription.group,), self._age(subscription.progress.waiting))
        yield from (rows, oldest, applied, dead, lag)

    def _age(self, moment: int) -> float:
        return max(self._clock() - moment, 0) / SECOND if moment else 0.0
