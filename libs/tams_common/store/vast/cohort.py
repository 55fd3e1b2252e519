"""Reads that share one VAST DB transaction, and their questions one request where they can."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from tams_common.store.layout import Layouts
from tams_common.store.port import Page, Query, Reader
from tams_common.store.snapshot import Snapshot
from tams_common.store.table import AnyTable, Key, R, Table
from tams_common.store.vast.joining import Range, range_of, together
from tams_common.store.vast.link import Answer, Ask
from tams_common.store.vast.paging import Cells, Paging
from tams_common.store.vast.session import Session
from tams_common.store.where import Scalar


class _Question:
    """What one reader waits for: rows by key (`keys`), a `range_`, or else whatever `alone` brings."""

    __slots__ = ("alone", "answer", "answered", "error", "keys", "range_", "table")

    def __init__(
        self,
        alone: Callable[[], Any],
        *,
        table: AnyTable | None = None,
        keys: Sequence[Key] = (),
        range_: Range | None = None,
    ) -> None:
        self.alone = alone
        self.table = table
        self.keys = keys
        self.range_ = range_
        self.answer: Any = None
        self.error: Exception | None = None
        self.answered = False


class Cohort:
    """Reads that arrived before their transaction began; each runs on a thread of its own.

    A thread that asks something waits until all others have asked, too, or are done; the last one asks for all: gets
    of one table become one request, as do windows of one flow's pages. A cohort of one never waits. Nothing of a cohort
    joins another one's transaction.
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
        rows: dict[Key, R] = self._wait(_Question(dict, table=table, keys=keys))
        return {key: rows[key] for key in keys if key in rows}

    def fetch_page(self, table: AnyTable, columns: Sequence[str], *, query: Query) -> Page[tuple[Scalar, ...]]:
        """As `Backend.fetch_page`."""
        return Paging(self, self._session.stored(table), columns=columns, query=query).page()

    def ask(self, ask: Ask) -> Answer:
        """Queries within the transaction, for a page."""
        answer: Answer = self._wait(_Question(partial(self._session.ask, ask), range_=range_of(ask)))
        return answer

    def find(self, table: AnyTable, keys: Sequence[Key], *, columns: Sequence[str]) -> dict[Key, Cells]:
        """`columns` of the rows that exist among `keys`, for a page."""
        found: dict[Key, Cells] = self._wait(_Question(partial(self._session.find, table, keys, columns=columns)))
        return found

    def _wait(self, question: _Question) -> Any:  # noqa: ANN401 -- rows or a page
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
        answered = self._gets() or self._ranges() or self._first()
        for question in answered:
            question.answered = True
            self._waiting.remove(question)
        self._busy += len(answered)
        self._changed.notify_all()

    def _gets(self) -> list[_Question]:
        """Answers all gets, those of one table together."""
        gets = [(question, question.table) for question in self._waiting if question.table is not None]
        for table in {table.name: table for _, table in gets}.values():
            same = [question for question, asked in gets if asked.name == table.name]
            keys = list(dict.fromkeys(key for question in same for key in question.keys))
            _answer(same, partial(_for_all, same, partial(self._session.fetch, table, keys)))
        return [question for question, _ in gets]

    def _ranges(self) -> list[_Question]:
        """Answers those ranges that can be asked for together with the first: they need not wait for all others."""
        ranges = [(question, question.range_) for question in self._waiting if question.range_ is not None]
        same = [(question, range_) for question, range_ in ranges if range_.fits(ranges[0][1])]
        questions = [question for question, _ in same]
        if same:
            _answer(questions, partial(together, [range_ for _, range_ in same], self._session.ask))
        return questions

    def _first(self) -> list[_Question]:
        """Answers whatever else was asked first."""
        question = self._waiting[0]
        _answer([question], lambda: [question.alone()])
        return [question]


def _answer(questions: Sequence[_Question], ask: Callable[[], Sequence[Any]]) -> None:
    try:
        answers = ask()
    except Exception as error:  # noqa: BLE001 -- it is raised where the question was asked
        for question in questions:
            question.error = error
    else:
        for question, answer in zip(questions, answers, strict=True):
            question.answer = answer


def _for_all(questions: Sequence[_Question], ask: Callable[[], Any]) -> list[Any]:
    return [ask()] * len(questions)
