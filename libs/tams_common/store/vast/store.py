"""The store on VAST DB (architecture 3)."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TypeVar

import msgspec

from tams_common.errors import Unavailable
from tams_common.store.layout import Layouts
from tams_common.store.port import ProjectionStatus, Reader, TableStatus, Tx
from tams_common.store.table import AnyTable
from tams_common.store.vast import projections, schema
from tams_common.store.vast.database import Database
from tams_common.store.vast.link import silence
from tams_common.store.vast.place import Place
from tams_common.store.vast.readers import Readers
from tams_common.store.vast.writer import Writer

T = TypeVar("T")


class _Opened(msgspec.Struct, frozen=True):
    database: Database
    writer: Writer
    readers: Readers
    closing: AsyncExitStack


class VastStore:
    """The tables of one service in the schema `<schema>/<name>` of a bucket.

    Nothing blocks the event loop: writes go through one thread with a connection of its own, reads through a bounded
    pool. A transaction that loses a row to another one is rerun; a `Conflict` that comes out is final. What became of
    a commit whose answer was lost is looked for during `patience` seconds, before `OutcomeUnknown` comes out.
    """

    def __init__(self, place: Place, name: str, *, tables: Sequence[AnyTable], patience: float = 30.0) -> None:
        self._place = place
        self._name = name
        self._layouts = Layouts(tables)
        self._patience = patience
        self._opened: _Opened | None = None

    async def open(self) -> None:
        """Connects; StartRefused when the stored schema is newer. Tables that are missing wait for `migrate`."""
        silence()
        async with AsyncExitStack() as closing:
            database = Database(self._place, self._name, layouts=self._layouts)
            writer = Writer(database, patience=self._patience)
            closing.push_async_callback(writer.close)
            await writer.submit_alone(partial(schema.check, database))
            readers = Readers(database)
            closing.push_async_callback(readers.close)
            self._opened = _Opened(database, writer, readers, closing.pop_all())

    async def close(self) -> None:
        """Finishes what runs and disconnects; a second call does nothing."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.closing.aclose()

    async def migrate(self) -> None:
        """Creates schema and tables, adds columns, creates and drops projections; all or nothing."""
        opened = self._connected()
        await opened.writer.submit_alone(partial(schema.migrate, opened.database))

    async def unmigrated(self) -> list[str]:
        """The tables that need `migrate`."""
        opened = self._connected()
        return await opened.writer.submit_alone(partial(schema.unmigrated, opened.database))

    async def status(self) -> list[TableStatus]:
        """Every declared table, as it is stored."""
        opened = self._connected()
        return await opened.writer.submit_alone(partial(schema.status, opened.database))

    async def projections(self) -> list[ProjectionStatus]:
        """Every declared projection, as it is stored."""
        opened = self._connected()
        return await opened.writer.submit_alone(partial(projections.status, opened.database))

    async def set_projection(self, table: str, name: str, *, enabled: bool) -> None:
        """Creates or drops a semi-sorted projection."""
        opened = self._connected()
        change = partial(projections.switch, opened.database, table=table, name=name, enabled=enabled)
        await opened.writer.submit_alone(change)

    async def run(self, fn: Callable[[Tx], T]) -> T:
        """Runs `fn` as one transaction, in a commit that it may share with others."""
        return await self._connected().writer.submit(fn)

    async def read(self, fn: Callable[[Reader], T], *, bounded: bool = False) -> T:
        """Runs `fn` on one snapshot, which it may share with others; `bounded` or not makes no difference here."""
        return await self._connected().readers.submit(fn)

    def _connected(self) -> _Opened:
        if self._opened is None:
            raise Unavailable(f"the tables of {self._name} are closed")
        return self._opened
