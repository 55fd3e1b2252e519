from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tams_common.clock import SECOND
from tams_webhooks.outgoing.answers import DAY, Answer, error_of, failure_of, retry_after

NOW = 1_700_000_000


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 120 ", 120),
        ("86401", DAY),
        ("999999999", DAY),
        (formatdate(NOW + 90, usegmt=True), 90),
        (formatdate(NOW - 90, usegmt=True), 0),
        (formatdate(NOW + 10 * DAY, usegmt=True), DAY),
        ("Tuesday, 14-Nov-23 22:14:20 GMT", 60),
        ("Tue Nov 14 22:14:20 2023", 60),
        ("Tue, 14 Nov 2023 23:14:20 +0100", 60),
        *((value, None) for value in ("", "-1", "1.5", "soon", "１２", "9" * 5000, "Tue, 99 Nov 2023 22:14:20 GMT")),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: int | None) -> None:
    assert retry_after(value, now=NOW * SECOND) == seconds


@pytest.mark.property
@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,5} [A-Z][a-z]{2} [0-9]{1,6} [0-9:]{1,10} [A-Z+0-9-]{0,6}"))
def test_no_retry_after_breaks_anything(value: str) -> None:
    seconds = retry_after(value, now=NOW * SECOND)
    assert seconds is None or 0 <= seconds <= DAY


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_2xx_is_a_success(status: int) -> None:
    assert error_of(status) == ""
    assert Answer(status, "", 0).delivered


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, "the receiver answered 301 Moved Permanently; redirects are not followed"),
        (404, "the receiver answered 404 Not Found"),
        (599, "the receiver answered 599"),
    ],
)
def test_other_answers_are_failures(status: int, error: str) -> None:
    assert error_of(status) == error
    assert not Answer(status, error, 0).delivered


def test_no_answer_is_a_failure() -> None:
    assert not Answer(None, "no answer within 15 s", 0).delivered


def test_a_mistake_of_ours_is_no_failure_of_a_receiver() -> None:
    assert failure_of(KeyError("x"), timeout=15.0) is None
