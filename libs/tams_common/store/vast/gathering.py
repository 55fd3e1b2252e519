"""What the functions of one commit read, gathered: they are pure, so that they can be run to hear what they ask."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from tams_common.errors import InvalidInput
from tams_common.store.group_commit import Function
from tams_common.store.layout import Layouts
from tams_common.store.overlay import Overlay, Remembering
from tams_common.store.port import Page, Query
from tams_common.store.table import AnyTable, Key, R, Table
from tams_common.store.transaction import Transaction
from tams_common.store.vast.joining import answers, joined
from tams_common.store.vast.lanes import Lanes
from tams_common.store.vast.link import Answer, Ask
from tams_common.store.vast.paging import Cells, Paging
from tams_common.store.vast.session import Session
from tams_common.store.where import Scalar

_ROUNDS: Final = 8
"""How often functions are run to hear what they ask next: one that asks for ever is answered when its turn comes."""

_Asked: TypeAlias = tuple[Any, ...]


class Unanswered(BaseException):
    """Stops a function whose question waits for those of the others; no function is meant to catch it."""


class Gathering:
    """The reads of one transaction. Until it is `live`, a question is noted and stops the function that asks it.

    Functions read through `memory`, which knows each row that was asked for once.
    """

    def __init__(self, session: Session, layouts: Layouts, *, lanes: Lanes) -> None:
        self.memory: Final = Remembering(self)
        self.live = False
        self._session = session
        self._layouts = layouts
        self._lanes = lanes
        self._answers: dict[_Asked, Answer] = {}
        self._found: dict[_Asked, dict[Key, Cells]] = {}
        self._forget()

    def fetch(self, table: Table[R], keys: Sequence[Key]) -> dict[Key, R]:
        """As `Backend.fetch`."""
        if self.live:
            return self._session.fetch(table, keys)
        self._gets.setdefault(table.name, (table, {}))[1].update(dict.fromkeys(keys))
        raise Unanswered

    def fetch_page(self, table: AnyTable, columns: Sequence[str], *, query: Query) -> Page[tuple[Scalar, ...]]:
        """As `Backend.fetch_page`."""
        return Paging(self, self._session.stored(table), columns=columns, query=query).page()

    def ask(self, ask: Ask) -> Answer:
        """Queries within the transaction, for a page."""
        asked = (ask.stored.name, ask.columns, ask.where, ask.config.num_sub_splits, ask.most)
        if asked in self._answers:
            return self._answers[asked]
        if self.live:
            return self._session.ask(ask)
        self._asks[asked] = ask
        raise Unanswered

    def find(self, table: AnyTable, keys: Sequence[Key], *, columns: Sequence[str]) -> dict[Key, Cells]:
        """`columns` of the rows that exist among `keys`, for a page."""
        asked = (table.name, tuple(columns), tuple(keys))
        if asked in self._found:
            return self._found[asked]
        if self.live:
            return self._session.find(table, keys, columns=columns)
        self._finds[asked] = partial(self._session.find, table, keys, columns=columns)
        raise Unanswered

    @property
    def asked(self) -> bool:
        """Whether a function was stopped since the last answers."""
        return bool(self._gets or self._asks or self._finds)

    def rehearse(self, functions: Sequence[Function]) -> None:
        """Answers what has been asked, then runs `functions`, each on its own, as long as they ask for more."""
        self._session.begin()
        for _ in range(_ROUNDS):
            try:
                self._answer()
            except InvalidInput:
                # Whoever asks for what cannot be asked is to be told, and nobody else.
                return
            functions = [function for function in functions if self._stops(function)]
            if not functions:
                return

    def _stops(self, function: Function) -> bool:
        try:
            function(Transaction(self._layouts, Overlay(self._layouts, self.memory)))
        except Unanswered:
            return True
        except BaseException:  # noqa: BLE001 -- it is raised again when it counts
            return False
        return False

    def _answer(self) -> None:
        """All that was asked, at once; gets of one table and windows that fit each other in one request."""
        steps: list[Callable[[], None]] = [partial(self._get, table, list(keys)) for table, keys in self._gets.values()]
        steps += [partial(self._join, group) for group in joined(self._asks)]
        steps += [partial(self._find, asked, find) for asked, find in self._finds.items()]
        self._forget()
        self._lanes.run(steps)

    def _get(self, table: AnyTable, keys: Sequence[Key]) -> None:
        self.memory.learn(table, keys, rows=self._session.fetch(table, keys))

    def _join(self, group: Sequence[tuple[_Asked, Ask]]) -> None:
        found = answers([ask for _, ask in group], self._session.ask)
        self._answers.update(zip((asked for asked, _ in group), found, strict=True))

    def _find(self, asked: _Asked, find: Callable[[], dict[Key, Cells]]) -> None:
        self._found[asked] = find()

    def _forget(self) -> None:
        self._gets: dict[str, tuple[AnyTable, dict[Key, None]]] = {}
        self._asks: dict[_Asked, Ask] = {}
        self._finds: dict[_Asked, Callable[[], dict[Key, Cells]]] = {}
