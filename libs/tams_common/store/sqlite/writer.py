"""All writes of a store on SQLite."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from tams_common.errors import Unavailable
from tams_common.store.group_commit import Function, GroupCommit, Outcome, outcome_of
from tams_common.store.overlay import Remembering
from tams_common.store.sqlite.database import Database
from tams_common.store.sqlite.session import Session
from tams_common.store.sqlite.sharing import Sharing
from tams_common.store.transaction import SharedCommit

_YIELD_SECONDS: Final = 0.002
"""What a writer leaves to others after a commit, while others share the file (architecture 7)."""


class Writer(GroupCommit[Session]):
    """Writes through the one connection that may."""

    def __init__(self, database: Database, sharing: Sharing | None) -> None:
        self._database = database
        self._sharing = sharing
        super().__init__(database.name, Session(database, database.connect_writer()))

    def _commit(self, functions: Sequence[Function]) -> list[Outcome]:
        session = self._session
        session.execute("BEGIN IMMEDIATE")
        try:
            commit = SharedCommit(self._database.layouts, Remembering(session))
            outcomes = [outcome_of(partial(commit.run, function)) for function in functions]
            changes = commit.changes()
            if changes and not session.connection.in_transaction:
                raise Unavailable(f"the tables of {self._database.name} gave up the transaction")
            if changes:
                session.flush(changes)
                session.execute("COMMIT")
        finally:
            session.roll_back()
        return outcomes

    def _rest(self) -> None:
        if self._sharing is not None and self._sharing.shared():
            time.sleep(_YIELD_SECONDS)

    def _disconnect(self) -> None:
        self._session.connection.close()
