"""The filters of webhooks (WHK-20 to WHK-26)."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Struct

from tams_webhooks.matching import filters_of, matches
from tams_webhooks.webhook import EventType, Webhook
from tests.conformance import rule
from tests.webhooks.rig import ALL_TYPES

A, B, C = (f"10000000-0000-4000-8000-00000000000{n}" for n in "abc")
FLOW_TYPES = tuple(kind for kind in ALL_TYPES if kind.startswith("flows/"))
SOURCE_TYPES = tuple(kind for kind in ALL_TYPES if kind.startswith("sources/"))
FILTERS = ("flow_ids", "source_ids", "flow_collected_by_ids", "source_collected_by_ids")


class Event(Struct, frozen=True, kw_only=True):
    type: str = "flows/updated"
    flow_id: str | None = A
    source_id: str | None = B
    flow_collected_by: str = ""
    source_collected_by: str = ""


def passes(event: Event, **filters: Any) -> bool:  # noqa: ANN401 — fields of Webhook
    return matches(filters_of(Webhook(**({"url": "http://r.test", "events": ALL_TYPES} | filters))), event)


@rule("WHK-5")
def test_the_types_are_the_specification_s() -> None:
    assert get_args(EventType) == ALL_TYPES


@pytest.mark.parametrize("kind", ALL_TYPES)
def test_only_the_types_asked_for(kind: str) -> None:
    assert passes(Event(type=kind))
    assert passes(Event(type=kind), events=(kind,))
    assert not passes(Event(type=kind), events=tuple(other for other in ALL_TYPES if other != kind))
    assert not passes(Event(type=kind), events=())


@rule("WHK-20", "WHK-25")
@pytest.mark.parametrize("kind", FLOW_TYPES)
def test_flow_ids_choose_flows(kind: str) -> None:  # WHK-20
    assert passes(Event(type=kind), flow_ids=(A,))
    assert passes(Event(type=kind), flow_ids=(C, A))
    assert not passes(Event(type=kind), flow_ids=(C,))
    assert not passes(Event(type=kind), flow_ids=())  # WHK-25


@rule("WHK-20", "WHK-22")
@pytest.mark.parametrize("kind", SOURCE_TYPES)
@pytest.mark.parametrize("wanted", [(), (C,)])
@pytest.mark.parametrize("name", ["flow_ids", "flow_collected_by_ids"])
def test_filters_on_flows_say_nothing_about_sources(kind: str, name: str, wanted: tuple[str, ...]) -> None:
    assert passes(Event(type=kind, flow_id=None, source_collected_by=B), **{name: wanted})  # WHK-20, WHK-22


@rule("WHK-21", "WHK-25")
@pytest.mark.parametrize("kind", ALL_TYPES)
def test_source_ids_are_about_every_event(kind: str) -> None:  # WHK-21
    assert passes(Event(type=kind), source_ids=(B, C))
    assert not passes(Event(type=kind), source_ids=(C,))
    assert not passes(Event(type=kind), source_ids=())
    assert not passes(Event(type=kind, source_id=None), source_ids=(B,))


@rule("WHK-22")
@pytest.mark.parametrize("kind", FLOW_TYPES)
def test_flow_collected_by(kind: str) -> None:  # WHK-22
    assert passes(Event(type=kind, flow_collected_by=f"{B},{C}"), flow_collected_by_ids=(C,))
    assert not passes(Event(type=kind, flow_collected_by=B), flow_collected_by_ids=(A, C))
    assert not passes(Event(type=kind), flow_collected_by_ids=(C,))
    assert passes(Event(type=kind), flow_collected_by_ids=())
    assert not passes(Event(type=kind, flow_collected_by=C), flow_collected_by_ids=())


@rule("WHK-23")
@pytest.mark.parametrize("kind", ALL_TYPES)
def test_source_collected_by(kind: str) -> None:  # WHK-23
    assert passes(Event(type=kind, source_collected_by=f"{A},{C}"), source_collected_by_ids=(B, C))
    assert not passes(Event(type=kind, source_collected_by=A), source_collected_by_ids=(C,))
    assert passes(Event(type=kind), source_collected_by_ids=())
    assert not passes(Event(type=kind, source_collected_by=C), source_collected_by_ids=())


_ids = st.sampled_from((A, B, C))
_filter = st.one_of(st.just(UNSET), st.lists(_ids, max_size=2).map(tuple))
_collectors = st.lists(_ids, max_size=2, unique=True).map(",".join)
_events = st.builds(
    Event,
    type=st.sampled_from(ALL_TYPES),
    flow_id=_ids,
    source_id=_ids,
    flow_collected_by=_collectors,
    source_collected_by=_collectors,
)


@rule("WHK-24")
@pytest.mark.property
@given(event=_events, filters=st.fixed_dictionaries(dict.fromkeys(FILTERS, _filter)))
def test_every_filter_is_a_necessary_condition(event: Event, filters: dict[str, Any]) -> None:  # WHK-24, T-85
    assert passes(event, **filters) is all(passes(event, **{name: wanted}) for name, wanted in filters.items())


@pytest.mark.property
@given(event=_events, wanted=st.lists(_ids, min_size=1).map(tuple), more=_ids, name=st.sampled_from(FILTERS))
def test_a_longer_filter_lets_more_pass(event: Event, wanted: tuple[str, ...], more: str, name: str) -> None:
    assert passes(event, **{name: (*wanted, more)}) >= passes(event, **{name: wanted})
