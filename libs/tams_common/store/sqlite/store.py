"""The embedded store: one SQLite file, several processes of one machine (architecture 3)."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias, TypeVar

from tams_common.errors import StartRefused, Unavailable
from tams_common.store.connected import Connected, ConnectedStore
from tams_common.store.port import Reader
from tams_common.store.sqlite import projections, schema
from tams_common.store.sqlite.database import Database
from tams_common.store.sqlite.errors import Busy, Damaged
from tams_common.store.sqlite.readers import Readers
from tams_common.store.sqlite.session import Session
from tams_common.store.sqlite.sharing import Sharing
from tams_common.store.sqlite.writer import Writer
from tams_common.store.table import AnyTable

T = TypeVar("T")

_Connected: TypeAlias = Connected[Database, Session, Readers]


class SqliteStore(ConnectedStore[Database, Session, Readers]):
    """The tables of one service in `directory/name.sqlite`.

    Without a directory they lie in a temporary one, which goes with `close`, and nothing is forced to disk. Writers of
    one file wait for each other before they read, so a `Conflict` is final here: a rerun would see what this run saw.
    """

    def __init__(self, directory: Path | None, name: str, *, tables: Sequence[AnyTable]) -> None:
        super().__init__(name, tables, schema=schema, projections=projections)
        self._directory = directory

    @property
    def path(self) -> Path:
        """The file, while the store is open."""
        return self._connected().database.path

    async def open(self) -> None:
        """Connects, and creates the file when there is none; StartRefused for a newer schema or a damaged file."""
        try:
            await super().open()
        except Damaged as error:
            raise StartRefused(error.detail) from error
        except OSError as error:
            raise Unavailable(f"the directory of {self._name} cannot be used: {error}") from error

    async def read(self, fn: Callable[[Reader], T], *, bounded: bool = False) -> T:
        """Runs `fn` on one snapshot: on this thread if it is `bounded` and no lock is in the way, else in a pool."""
        readers = self._connected().readers
        if bounded:
            with suppress(Busy):
                return readers.near(fn)
        return await readers.far(partial(Session.read, fn=fn))

    async def _connect(self, closing: AsyncExitStack) -> _Connected:
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
        readers = Readers(database)
        closing.push_async_callback(readers.close)
        return Connected(database, writer, readers)

    async def _look(self, opened: _Connected, work: Callable[[Session], T]) -> T:
        return await opened.readers.far(work)
