"""The schedule of tries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tams_common.clock import SECOND
from tams_common.errors import StartRefused
from tams_webhooks.config import WebhooksConfig
from tams_webhooks.retry import Health, Schedule, pause
from tests.conformance import rule

NOW = 1_700_000_000 * SECOND
HOUR = 3600 * SECOND


@rule("WHK-17")
def test_ten_tries_over_some_seventy_six_hours() -> None:
    schedule = Schedule(tuple(float(part) for part in WebhooksConfig().delays.split(",")), draw=lambda: 0.5)
    moment, tries = NOW, 1
    while (due := schedule.due(tries, now=moment)) is not None:
        moment, tries = due, tries + 1
    assert tries == 10
    assert round((moment - NOW) / HOUR) == 76
    assert schedule.longest == 1.2 * 86400


@pytest.mark.property
@given(draw=st.floats(0, 1), delay=st.floats(0.001, 86400))
def test_delays_are_spread(draw: float, delay: float) -> None:
    due = Schedule((delay,), draw=lambda: draw).due(1, now=NOW)
    assert due is not None
    assert 0.8 * delay * SECOND - 1 <= due - NOW <= 1.2 * delay * SECOND + 1


@pytest.mark.parametrize(("asked", "heeded"), [(None, 5), (0, 5), (60, 60)])
def test_a_receiver_may_ask_for_more_time(asked: int | None, heeded: int) -> None:
    assert Schedule((5,), draw=lambda: 0.5).due(1, now=NOW, retry_after=asked) == NOW + heeded * SECOND


def test_without_delays_there_is_one_try() -> None:
    assert Schedule.parse("").due(1, now=NOW) is None


@pytest.mark.parametrize("text", ["soon", "1,,2", "-1", "nan", "inf", "1;2"])
def test_delays_that_are_none_stop_the_start(text: str) -> None:
    with pytest.raises(StartRefused, match="TAMS_WEBHOOKS_DELAYS"):
        Schedule.parse(text)


@pytest.mark.parametrize(("status", "seconds"), [(429, 7), (503, 7), (500, 0), (None, 0), (404, 0)])
def test_overload_pauses_the_whole_webhook(status: int | None, seconds: int) -> None:
    assert pause(status, 7) == seconds


def test_only_attempts_without_a_success_make_a_webhook_fail() -> None:
    gap = 48 * HOUR
    health = Health()
    for hour in range(0, 120, 24):
        health = health.after(NOW + hour * HOUR, success=False, gap=gap)
        assert not health.has_failed(hours=120)
    assert health.after(NOW + 120 * HOUR, success=False, gap=gap).has_failed(hours=120)
    assert not health.after(NOW + 120 * HOUR, success=True, gap=gap).has_failed(hours=120)


def test_a_receiver_that_was_not_asked_has_not_failed() -> None:
    health = Health().after(NOW, success=False, gap=48 * HOUR).after(NOW + 240 * HOUR, success=False, gap=48 * HOUR)
    assert health == Health(NOW + 240 * HOUR, NOW + 240 * HOUR)
