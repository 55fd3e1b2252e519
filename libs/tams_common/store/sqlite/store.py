"""The embedded store: one SQLite file, several processes of one machine (architecture 3)."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import msgspec

from tams_common.errors import StartRefused, Unavailable
from tams_common.store.layout import Layouts
from tams_common.store.port import ProjectionStatus, Reader, TableStatus, Tx
from tams_common.store.sqlite import projections, schema
from tams_common.store.sqlite.database import Database
from tams_common.store.sqlite.errors import Busy, Damaged
from tams_common.store.sqlite.readers import Readers
from tams_common.store.sqlite.session import Session
from tams_common.store.sqlite.sharing import Sharing
from tams_common.store.sqlite.writer import Writer
from tams_common.store.table import AnyTable

T = TypeVar("T")


class _Opened(msgspec.Struct, frozen=True):
    database: Database
    writer: Writer
    readers: Readers
    closing: AsyncExitStack


class SqliteStore:
    """The tables of one service in `directory/name.sqlite`.

    Without a directory they lie in a temporary one, which goes with `close`, and nothing is forced to disk. Writers of
    one file wait for each other before they read, so a `Conflict` is final here: a rerun would see what this run saw.
    """

    def __init__(self, directory: Path | None, name: str, *, tables: Sequence[AnyTable]) -> None:
        self._directory = directory
        self._name = name
        self._layouts = Layouts(tables)
        self._opened: _Opened | None = None

    @property
    def path(self) -> Path:
        """The file, while the store is open."""
        return self._connected().database.path

    async def open(self) -> None:
        """Connects, and creates the file when there is none; StartRefused for a newer schema or a damaged file."""
        try:
            await self._open()
        except Damaged as error:
            raise StartRefused(error.detail) from error
        except OSError as error:
            raise Unavailable(f"the directory of {self._name} cannot be used: {error}") from error

    async def close(self) -> None:
        """Finishes what runs and disconnects; a second call does nothing."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.closing.aclose()

    async def migrate(self) -> None:
        """Creates tables, adds columns, creates and drops projections; all or nothing."""
        opened = self._connected()
        await opened.writer.submit_alone(partial(schema.migrate, opened.database))

    async def unmigrated(self) -> list[str]:
        """The tables that need `migrate`."""
        opened = self._connected()
        return await opened.readers.far(partial(schema.unmigrated, opened.database))

    async def status(self) -> list[TableStatus]:
        """Every declared table, as it is stored."""
        opened = self._connected()
        return await opened.readers.far(partial(schema.status, opened.database))

    async def projections(self) -> list[ProjectionStatus]:
        """Every declared projection, as it is stored."""
        opened = self._connected()
        return await opened.readers.far(partial(projections.status, opened.database))

    async def set_projection(self, table: str, name: str, *, enabled: bool) -> None:
        """Creates or drops the index of a projection."""
        opened = self._connected()
        change = partial(projections.switch, opened.database, table=table, name=name, enabled=enabled)
        await opened.writer.submit_alone(change)

    async def run(self, fn: Callable[[Tx], T]) -> T:
        """Runs `fn` as one transaction, in a commit that it may share with others."""
        return await self._connected().writer.submit(fn)

    async def read(self, fn: Callable[[Reader], T], *, bounded: bool = False) -> T:
        """Runs `fn` on one snapshot: on this thread if it is `bounded` and no lock is in the way, else in a pool."""
        readers = self._connected().readers
        if bounded:
            with suppress(Busy):
                return readers.near(fn)
        return await readers.far(partial(Session.read, fn=fn))

    async def _open(self) -> None:
        async with AsyncExitStack() as closing:
            if self._directory is None:
                directory = Path(closing.enter_context(TemporaryDirectory(prefix="tams-")))
            else:
                directory = self._directory
                directory.mkdir(parents=True, exist_ok=True)
            path = directory / f"{self._name}.sqlite"
            database = Database(path, self._name, layouts=self._layouts, durable=self._directory is not None)
            # A temporary file is nobody else's.
            sharing = closing.enter_context(Sharing(path)) if database.durable else None
            writer = Writer(database, sharing)
            closing.push_async_callback(writer.close)
            await writer.submit_alone(partial(schema.check, database))
            readers = Readers(database)
            closing.push_async_callback(readers.close)
            self._opened = _Opened(database, writer, readers, closing.pop_all())

    def _connected(self) -> _Opened:
        if self._opened is None:
            raise Unavailable(f"the tables of {self._name} are closed")
        return self._opened
