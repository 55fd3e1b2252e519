"""The tables that the VAST adapter keeps for itself: claims fall evenly, commits are forgotten after an hour."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tams_common.store.group_commit import Collided
from tams_common.store.layout import Layouts
from tams_common.store.vast import ledger, schema
from tams_common.store.vast.database import Database
from tams_common.store.vast.ledger import COMMITS, SLOTS, Commit
from tams_common.store.vast.session import Session, end
from tests.common.store.tables import TABLES
from tests.common.store.vast_opener import Emulators, place

NOW = 1_800_000_000_000_000_000
MINUTE = 60_000_000_000


@pytest.fixture
def database() -> Iterator[Database]:
    emulators = Emulators()
    yield Database(place(emulators.emulator()), "tables", layouts=Layouts(TABLES))
    emulators.stop()


@pytest.fixture
def sessions(database: Database) -> Iterator[tuple[Session, Session]]:
    one, two = database.session(), database.session()
    schema.migrate(database, one)
    yield one, two
    for session in (one, two):
        end(session)
        session.link.close()


def _commit(session: Session) -> None:
    session.link.commit(session.release())


def test_claims_fall_evenly_and_always_the_same_way() -> None:
    slots = Counter(ledger.slot_of("items", (f"{n}", n)) for n in range(16 * SLOTS))
    assert set(slots) <= set(range(SLOTS))
    assert len(slots) > 0.99 * SLOTS
    assert max(slots.values()) < 64
    assert ledger.slot_of("items", ("a",)) != ledger.slot_of("heads", ("a",))


def test_of_two_transactions_one_gets_a_claim(sessions: tuple[Session, Session]) -> None:
    one, two = sessions
    ledger.claim(one, [1, 2, 2])
    ledger.claim(two, [3])
    with pytest.raises(Collided):
        ledger.claim(two, [2])
    _commit(one)
    with pytest.raises(Collided):
        ledger.claim(two, [1])


def test_commits_are_known_for_an_hour(sessions: tuple[Session, Session]) -> None:
    one, two = sessions
    for id, at in (("old", NOW - 61 * MINUTE), ("young", NOW - 59 * MINUTE)):
        ledger.record(one, Commit(id, at))
    _commit(one)
    ledger.prune(two, NOW)
    _commit(two)
    assert ledger.happened(one, "young")
    assert not ledger.happened(one, "old")
    assert set(one.find(COMMITS, [("young",), ("old",)], columns=("at",))) == {("young",)}
