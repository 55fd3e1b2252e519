"""Whole transactions: functions run together, their changes flushed and committed, and lost answers found out."""

import random
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import compress
from typing import Final
from uuid import uuid4

from vastdb.transaction import Transaction

from tams_common.errors import OutcomeUnknown, TamsError, Unavailable
from tams_common.store.group_commit import Collided, Function, Outcome, outcome_of
from tams_common.store.layout import Layouts
from tams_common.store.transaction import SharedCommit
from tams_common.store.vast import ledger
from tams_common.store.vast.failures import Broken, Overloaded
from tams_common.store.vast.flush import flush
from tams_common.store.vast.gathering import Gathering, Unanswered
from tams_common.store.vast.lanes import Lanes
from tams_common.store.vast.session import Session, end

_RECONNECTIONS: Final = 3
"""How often functions whose connection breaks are run before their callers are told."""
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.5
_GRACE: Final = 0.05
"""The share of the patience that a commit under way gets to finish."""
_PRUNE_SECONDS: Final = 600.0


class Transactions:
    """Runs functions on one session, one transaction at a time, on one thread.

    A lost answer is looked for during `patience` seconds. A transaction that is then still open is soon ended: if its
    commit is under way, either comes first, and what was committed tells which.
    """

    def __init__(self, session: Session, layouts: Layouts, *, lanes: Lanes, patience: float) -> None:
        self._session = session
        self._lanes = lanes
        self._layouts = layouts
        self._patience = patience
        self._prune_at = time.monotonic() + _PRUNE_SECONDS

    def run(self, functions: Sequence[Function]) -> list[Outcome]:
        """As `GroupCommit._commit`; the functions are run anew while their connection breaks."""
        for attempt in range(1, _RECONNECTIONS):
            try:
                return self._together(functions)
            except Broken:
                _pause(attempt)
        return self._together(functions)

    def prune(self) -> None:
        """Forgets old commits, if it is time again."""
        if time.monotonic() < self._prune_at:
            return
        self._prune_at = time.monotonic() + _PRUNE_SECONDS
        with suppress(TamsError):
            try:
                record = _record()
                ledger.prune(self._session, time.time_ns())
                ledger.record(self._session, record)
                self._commit(record)
            finally:
                end(self._session)

    def _together(self, functions: Sequence[Function]) -> list[Outcome]:
        session = self._session
        try:
            reads = Gathering(session, self._layouts, lanes=self._lanes)
            reads.live = len(functions) == 1
            commit, outcomes = self._attempt(functions, reads)
            if reads.asked:
                stopped = [isinstance(outcome.error, Unanswered) for outcome in outcomes]
                reads.rehearse(list(compress(functions, stopped)))
                reads.live = True
                commit, outcomes = self._attempt(functions, reads)
            changes = commit.changes()
            if changes:
                record = _record()
                flush(session, self._layouts, changes=changes, lanes=self._lanes, commit=record)
                self._commit(record)
        finally:
            end(self._session)
        return outcomes

    def _attempt(self, functions: Sequence[Function], reads: Gathering) -> tuple[SharedCommit, list[Outcome]]:
        commit = SharedCommit(self._layouts, reads.memory)
        return commit, [self._outcome(commit, function) for function in functions]

    def _outcome(self, commit: SharedCommit, function: Function) -> Outcome:
        outcome = outcome_of(partial(commit.run, function))
        if self._session.failure is not None:
            raise self._session.failure
        return outcome

    def _commit(self, record: ledger.Commit) -> None:
        """Commits the session's transaction, which leaves `record`; raises `Broken` when it certainly did not."""
        transaction = self._session.release()
        try:
            self._session.link.commit(transaction)
        except (Collided, Overloaded):
            self._give_up(transaction)
            raise
        except Unavailable as error:
            if not self._happened(transaction, record.id):
                raise Broken(f"a commit was lost: {error.detail}") from error

    def _happened(self, transaction: Transaction, id: str) -> bool:
        """Whether the commit `id`, whose answer was lost, happened: known once its transaction is gone."""
        started = time.monotonic()
        attempt = 0
        while (waited := time.monotonic() - started) < self._patience:
            with suppress(Unavailable):
                if not self._session.link.alive(transaction):
                    try:
                        return ledger.happened(self._session, id)
                    finally:
                        end(self._session)
                if waited > self._patience * _GRACE:
                    self._session.link.roll_back(transaction)
            attempt += 1
            _pause(attempt)
        raise OutcomeUnknown("the answer of a commit was lost, and the tables do not answer any more")

    def _give_up(self, transaction: Transaction) -> None:
        """Ends a transaction without effect; one that cannot be reached expires."""
        with suppress(TamsError):
            self._session.link.roll_back(transaction)


def _record() -> ledger.Commit:
    return ledger.Commit(uuid4().hex, time.time_ns())


def _pause(attempt: int) -> None:
    longest = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)
    time.sleep(random.uniform(0, longest))  # noqa: S311 -- only spreads the repeats
