"""All writes of a store on VAST DB."""

from collections.abc import Sequence

from tams_common.store.group_commit import Function, GroupCommit, Outcome
from tams_common.store.vast.database import Database
from tams_common.store.vast.lanes import Lanes
from tams_common.store.vast.session import Session
from tams_common.store.vast.transactions import Transactions


class Writer(GroupCommit[Session]):
    """Writes in one transaction at a time, on connections of its own."""

    def __init__(self, database: Database, *, patience: float) -> None:
        session = database.session()
        self._lanes = Lanes(f"store-{database.name}")
        self._transactions = Transactions(session, database.layouts, lanes=self._lanes, patience=patience)
        super().__init__(database.name, session)

    def _commit(self, functions: Sequence[Function]) -> list[Outcome]:
        return self._transactions.run(functions)

    def _rest(self) -> None:
        self._transactions.prune()

    def _disconnect(self) -> None:
        self._lanes.close()
        self._session.link.close()
