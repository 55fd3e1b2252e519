"""The store on VAST DB (architecture 3)."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import TypeAlias, TypeVar

from tams_common.store.connected import Connected, ConnectedStore
from tams_common.store.port import Reader
from tams_common.store.table import AnyTable
from tams_common.store.vast import projections, schema
from tams_common.store.vast.database import Database
from tams_common.store.vast.link import silence
from tams_common.store.vast.place import Place
from tams_common.store.vast.readers import Readers
from tams_common.store.vast.session import Session
from tams_common.store.vast.writer import Writer

T = TypeVar("T")

_Connected: TypeAlias = Connected[Database, Session, Readers]


class VastStore(ConnectedStore[Database, Session, Readers]):
    """The tables of one service in the schema `<schema>/<name>` of a bucket.

    Nothing blocks the event loop: writes go through one thread with a connection of its own, reads through a bounded
    pool. A transaction that loses a row to another one is rerun; a `Conflict` that comes out is final. What became of
    a commit whose answer was lost is looked for during `patience` seconds, before `OutcomeUnknown` comes out.
    """

    def __init__(self, place: Place, name: str, *, tables: Sequence[AnyTable], patience: float = 30.0) -> None:
        super().__init__(name, tables, schema=schema, projections=projections)
        self._place = place
        self._patience = patience

    async def read(self, fn: Callable[[Reader], T], *, bounded: bool = False) -> T:
        """Runs `fn` on one snapshot, which it may share with others; `bounded` or not makes no difference here."""
        return await self._connected().readers.submit(fn)

    async def _connect(self, closing: AsyncExitStack) -> _Connected:
        silence()
        database = Database(self._place, self._name, layouts=self._layouts)
        writer = Writer(database, patience=self._patience)
        closing.push_async_callback(writer.close)
        readers = Readers(database)
        closing.push_async_callback(readers.close)
        return Connected(database, writer, readers)

    async def _look(self, opened: _Connected, work: Callable[[Session], T]) -> T:
        return await opened.writer.submit_alone(work)
