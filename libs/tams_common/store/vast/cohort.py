"""Reads that share one VAST DB transaction, and their questions one request where they can."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from tams_common.store.layout import Layouts
from tams_common.store.port import Page, Query, Reader
from tams_common.store.snapshot import Snapshot
from tams_common.store.table import AnyTable, Key, R, Table
from tams_common.store.vast.session import Session
from tams_common.store.where import Scalar


class _Question:
    """What one reader waits for: rows by key (`keys`) or, without keys, whatever `page` brings."""

    __slots__ = ("answer", "answered", "error", "keys", "page", "table")

    def __init__(self, table: AnyTable, keys: Sequence[Key] | None, *, page: Callable[[], Any]) -> None:
        self.table = table
        self.keys = keys
        self.page = page
        self.answer: Any = None
        self.error: Exception | None = None
        self.answered = False


class Cohort:
    """Reads that arrived before their transaction began; each runs on a thread of its own.

    A thread that asks something waits until all others have asked, too, or are done; the last one asks for all: gets
    of one table become one request. A cohort of one never waits. Nothing of a cohort joins another one's transaction.
    """

    def __init__(self, session: Session, layouts: Layouts, *, members: int) -> None:
        self._session = session
        self._changed = threading.Condition()
        self._busy = members
        self._members = members
        self._waiting: list[_Question] = []
        self.reader: Final[Reader] = Snapshot(layouts, self)

    def leave(self) -> bool:
        """A member is done; true for the last one."""
        with self._changed:
            self._members -= 1
            self._rest()
            return self._members == 0

    def fetch(self, table: Table[R], keys: Sequence[Key]) -> dict[Key, R]:
        """As `Backend.fetch`."""
        rows: dict[Key, R] = self._ask(_Question(table, keys, page=dict))
        return {key: rows[key] for key in keys if key in rows}

    def fetch_page(self, table: AnyTable, columns: Sequence[str], *, query: Query) -> Page[tuple[Scalar, ...]]:
        """As `Backend.fetch_page`."""

        def page() -> Page[tuple[Scalar, ...]]:
            return self._session.fetch_page(table, columns, query=query)

        answer: Page[tuple[Scalar, ...]] = self._ask(_Question(table, None, page=page))
        return answer

    def _ask(self, question: _Question) -> Any:  # noqa: ANN401 -- rows or a page
        with self._changed:
            self._waiting.append(question)
            self._rest()
            while not question.answered:
                self._changed.wait()
        if question.error is not None:
            raise question.error
        return question.answer

    def _rest(self) -> None:
        """A member waits or is done; when no other is busy, this thread answers."""
        self._busy -= 1
        if self._busy > 0 or not self._waiting:
            return
        answered = self._gets() if any(question.keys is not None for question in self._waiting) else self._page()
        for question in answered:
            question.answered = True
            self._waiting.remove(question)
        self._busy += len(answered)
        self._changed.notify_all()

    def _gets(self) -> list[_Question]:
        """Answers all gets, those of one table together."""
        gets = [question for question in self._waiting if question.keys is not None]
        for name in {question.table.name for question in gets}:
            same = [question for question in gets if question.table.name == name]
            keys = list(dict.fromkeys(key for question in same for key in question.keys or ()))
            self._answer(same, partial(self._session.fetch, same[0].table, keys))
        return gets

    def _page(self) -> list[_Question]:
        """Answers one page: those that ask for others need not wait for all of them."""
        question = self._waiting[0]
        self._answer([question], question.page)
        return [question]

    def _answer(self, questions: Sequence[_Question], ask: Callable[[], Any]) -> None:
        try:
            answer = ask()
        except Exception as error:  # noqa: BLE001 -- it is raised where the question was asked
            for question in questions:
                question.error = error
        else:
            for question in questions:
                question.answer = answer
