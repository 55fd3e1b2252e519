"""Two tables that the adapter keeps beside the declared ones: what VAST DB lacks is made of row conflicts.

`tams_claims` has 4096 rows. A transaction that inserts a key without a guard updates the key's row, so that of two
that insert the same key one collides; then it looks whether the key exists. `tams_commits` has a row for each commit
of the last hour: after a lost answer it tells whether the commit happened.
"""

import random
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import msgspec

from tams_common.store.table import Key, Table
from tams_common.store.vast.link import Ask
from tams_common.store.vast.session import Session
from tams_common.store.vast.stored import ROW_ID, TOUCH
from tams_common.store.where import lt

SLOTS: Final = 4096
KEPT_SECONDS: Final = 3600
"""How long a commit is remembered; a lost answer is asked for within seconds."""

_SECOND: Final = 1_000_000_000


class Claim(msgspec.Struct, frozen=True):
    """A row whose update is the right to insert the keys that fall on it."""

    slot: int


class Commit(msgspec.Struct, frozen=True):
    """A commit that happened at `at` (ns)."""

    id: str
    at: int


class Registered(msgspec.Struct, frozen=True):
    """A declared table as it is stored: its version and, as JSON, its declaration."""

    name: str
    version: int
    declaration: str


CLAIMS: Final = Table("tams_claims", Claim, key=("slot",))
COMMITS: Final = Table("tams_commits", Commit, key=("id",))
REGISTRY: Final = Table("tams_tables", Registered, key=("name",))


def slot_of(table: str, key: Key) -> int:
    """The claim on which a key falls."""
    digest = blake2b(msgspec.json.encode((table, key)), digest_size=8).digest()
    return int.from_bytes(digest) % SLOTS


def touch_value() -> int:
    """A value that a touched row did not have, as far as anyone can tell."""
    return random.getrandbits(62)


def claim(session: Session, slots: Iterable[int]) -> None:
    """Updates the rows of `slots`: `Collided` when another open transaction, or one since this began, has one."""
    keys = [(slot,) for slot in sorted(set(slots))]
    stored = session.stored(CLAIMS)
    row_ids = list(session.row_ids(CLAIMS, keys).values())
    batch = stored.changes(row_ids, columns={TOUCH: [touch_value()] * len(row_ids)})
    session.link.update(session.transaction, stored, batch=batch)


def record(session: Session, commit: Commit) -> None:
    """Makes the commit leave its id."""
    stored = session.stored(COMMITS)
    session.link.insert(session.transaction, stored, batch=stored.batch([commit]))


def happened(session: Session, id: str) -> bool:
    """Whether the commit with `id` left it."""
    return bool(session.find(COMMITS, [(id,)], columns=("id",)))


def prune(session: Session, now: int) -> None:
    """Forgets old commits. Another store may be at it: that is no loss."""
    stored = session.stored(COMMITS)
    old = lt("at", now - KEPT_SECONDS * _SECOND)
    rows = session.ask(Ask(stored, (ROW_ID,), (old,))).rows
    if rows:
        batch = stored.changes([row_id for (row_id,) in rows], columns={})
        session.link.delete(session.transaction, stored, batch=batch)
