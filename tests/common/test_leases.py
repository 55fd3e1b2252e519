"""Leases: one owner at a time, whatever becomes of it and of the clocks that wrote their ends."""

from collections.abc import AsyncIterator

import pytest

from tams_common.clock import SECOND, ManualClock
from tams_common.leases import LEASES, Lease, LeaseLost
from tams_common.store import Store
from tests.stores import make_store


class Stopwatch:
    """A process's own time (seconds), which no clock can set back."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    store = make_store(None, "leases", tables=(LEASES,))
    await store.open()
    await store.migrate()
    yield store
    await store.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def lease_of(owner: str, clock: ManualClock, *, stopwatch: Stopwatch | None = None) -> Lease:
    return Lease("work", owner, clock=clock, seconds=10, monotonic=stopwatch or Stopwatch())


async def test_one_owner_has_it_until_it_lapses_or_is_given_back(store: Store, clock: ManualClock) -> None:
    first, second = lease_of("first", clock), lease_of("second", clock)
    assert await store.run(first.take) == clock() + 10 * SECOND
    assert not await store.run(second.take)
    clock.advance(seconds=9)
    assert await store.run(first.renew) == clock() + 10 * SECOND
    clock.advance(seconds=9)
    assert not await store.read(second.may_take)
    clock.advance(seconds=1)
    assert await store.run(second.take)
    with pytest.raises(LeaseLost):
        await store.run(first.renew)
    await store.run(first.release)
    assert not await store.run(first.take)
    await store.run(second.release)
    assert await store.run(first.take)


async def test_a_lease_of_a_clock_that_was_ahead_does_not_outlive_its_owner(store: Store, clock: ManualClock) -> None:
    stopwatch = Stopwatch()
    dead, heir = lease_of("dead", clock), lease_of("heir", clock, stopwatch=stopwatch)
    await store.run(dead.take)
    clock.advance(seconds=-3600)
    assert not await store.run(heir.take)
    stopwatch.now = 30.0
    assert not await store.run(heir.take), "it may be renewed"
    stopwatch.now = 30.1
    assert await store.run(heir.take) == clock() + 10 * SECOND


async def test_who_lives_keeps_its_lease_when_the_clock_is_set_back(store: Store, clock: ManualClock) -> None:
    stopwatch = Stopwatch()
    living, other = lease_of("living", clock), lease_of("other", clock, stopwatch=stopwatch)
    until = await store.run(living.take)
    clock.advance(seconds=-3600)
    assert not living.is_fresh(until), "others would see it unrenewed for an hour"
    for _ in range(10):
        assert not await store.run(other.take)
        until = await store.run(living.take)
        assert living.is_fresh(until)
        clock.advance(seconds=6)
        assert not living.is_fresh(until)
        stopwatch.now += 6
