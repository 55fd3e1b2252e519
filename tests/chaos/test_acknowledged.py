"""The ledger of media finds what chaos is to find: what was lost, what came back, and what was done by halves."""

import pytest

from tests.chaos.acknowledged import Named, Request, Timeline

A, B, C = (Named(name, f"[{at}:0_{at + 1}:0)") for at, name in enumerate("abc"))


def added(*, done: bool) -> Timeline:
    """A flow to which a, b and c were added by one request."""
    timeline = Timeline()
    timeline.add([A, B, C], Request("addition", adds=True, done=done), start=0)
    return timeline


def deleted(timeline: Timeline, *, done: bool, end: int = 3) -> Timeline:
    """The flow after a deletion of its first `end` seconds."""
    timeline.delete(Request("deletion", adds=False, done=done), start=0, end=end)
    return timeline


def test_what_was_acknowledged_has_to_be_there_once() -> None:
    added(done=True).compare([A, B, C])
    with pytest.raises(AssertionError, match="not there"):
        added(done=True).compare([A, C])
    with pytest.raises(AssertionError, match="twice"):
        added(done=True).compare([A, B, C, C])


def test_nothing_else_may_be_there() -> None:
    with pytest.raises(AssertionError, match="nobody asked"):
        added(done=True).compare([A, B, C, A._replace(timerange="[5:0_6:0)")])


def test_what_was_deleted_does_not_come_back() -> None:
    timeline = deleted(added(done=True), done=True, end=2)
    timeline.compare([C])
    with pytest.raises(AssertionError, match="deleted, and there"):
        timeline.compare([B, C])


def test_an_addition_that_was_cut_off_is_whole_or_not_there() -> None:
    added(done=False).compare([])
    timeline = added(done=False)
    with pytest.raises(AssertionError, match="by halves"):
        timeline.compare([A])
    timeline.compare([A, B, C])
    with pytest.raises(AssertionError, match="not there"):
        timeline.compare([])


def test_a_deletion_that_was_cut_off_stops_somewhere_and_goes_no_step_back() -> None:
    deleted(added(done=True), done=False).compare([])
    timeline = deleted(added(done=True), done=False)
    timeline.compare([B, C])
    with pytest.raises(AssertionError, match="deleted, and there"):
        timeline.compare([A, B, C])
    with pytest.raises(AssertionError, match="by halves"):
        deleted(added(done=True), done=False).compare([A, C])


def test_an_addition_that_was_cut_off_may_come_after_a_deletion() -> None:
    timeline = deleted(added(done=False), done=True, end=2)
    timeline.compare([])
    timeline.compare([A, B, C])
    with pytest.raises(AssertionError, match="not there"):
        timeline.compare([A])
