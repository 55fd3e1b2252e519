"""Which events a webhook gets: a pure function of its filters and the event as it was logged (WHK-20 to WHK-26)."""

from typing import Protocol, TypeVar

from msgspec import UNSET, Struct, UnsetType

from tams_webhooks.webhook import Webhook

T = TypeVar("T", bound=str)


class Described(Protocol):
    """What an event tells of its flow and source, as they were when it happened; `LogRow` is one."""

    @property
    def type(self) -> str: ...
    @property
    def flow_id(self) -> str | None: ...
    @property
    def source_id(self) -> str | None: ...
    @property
    def flow_collected_by(self) -> str: ...
    @property
    def source_collected_by(self) -> str: ...


class Filters(Struct, frozen=True):
    """A webhook's filters, ready for many events. None does not restrict; an empty set does (WHK-24, WHK-25)."""

    types: frozenset[str]
    flows: frozenset[str] | None = None
    sources: frozenset[str] | None = None
    flow_collectors: frozenset[str] | None = None
    source_collectors: frozenset[str] | None = None


def filters_of(webhook: Webhook) -> Filters:
    """The filters of `webhook`."""
    return Filters(
        types=frozenset(webhook.events),
        flows=_set(webhook.flow_ids),
        sources=_set(webhook.source_ids),
        flow_collectors=_set(webhook.flow_collected_by_ids),
        source_collectors=_set(webhook.source_collected_by_ids),
    )


def matches(filters: Filters, event: Described) -> bool:
    """Whether the webhook gets `event`: every filter that applies to its type must let it pass (T-85).

    Filters on flows say nothing about events of sources (WHK-20, WHK-22); those on sources are about all events.
    """
    if event.type not in filters.types:
        return False
    if filters.sources is not None and event.source_id not in filters.sources:
        return False  # WHK-21
    if not _collected(event.source_collected_by, filters.source_collectors):
        return False  # WHK-23
    if event.type.startswith("sources/"):
        return True
    if filters.flows is not None and event.flow_id not in filters.flows:
        return False  # WHK-20
    return _collected(event.flow_collected_by, filters.flow_collectors)  # WHK-22


def _collected(collectors: str, wanted: frozenset[str] | None) -> bool:
    """Whether one of the `wanted` is among `collectors`; an empty set wants that there are none (8.2)."""
    if wanted is None:
        return True
    if not wanted:
        return not collectors
    return bool(collectors) and not wanted.isdisjoint(collectors.split(","))


def _set(ids: tuple[T, ...] | UnsetType) -> frozenset[str] | None:
    return None if ids is UNSET else frozenset(ids)
