"""What the stores of all adapters have in common: they are opened and closed, and hand work to their writer."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Generic, Protocol, TypeVar

import msgspec

from tams_common.errors import Unavailable
from tams_common.store.group_commit import GroupCommit
from tams_common.store.layout import Layouts
from tams_common.store.port import ProjectionStatus, Reader, TableStatus, Tx
from tams_common.store.table import AnyTable

T = TypeVar("T")
D = TypeVar("D")
S = TypeVar("S")
Q = TypeVar("Q")
D_contra = TypeVar("D_contra", contravariant=True)
S_contra = TypeVar("S_contra", contravariant=True)


class Schema(Protocol[D_contra, S_contra]):
    """The adapter's module `schema`: tables of a database, on a session outside any transaction."""

    def check(self, database: D_contra, session: S_contra) -> None:
        """Raises StartRefused when a stored table is newer than its declaration."""
        ...

    def unmigrated(self, database: D_contra, session: S_contra) -> list[str]:
        """As `Store.unmigrated`."""
        ...

    def migrate(self, database: D_contra, session: S_contra) -> None:
        """As `Store.migrate`, all or nothing."""
        ...

    def status(self, database: D_contra, session: S_contra) -> list[TableStatus]:
        """As `Store.status`."""
        ...


class Projections(Protocol[D_contra, S_contra]):
    """The adapter's module `projections`."""

    def status(self, database: D_contra, session: S_contra) -> list[ProjectionStatus]:
        """As `Store.projections`."""
        ...

    def switch(self, database: D_contra, session: S_contra, *, table: str, name: str, enabled: bool) -> None:
        """As `Store.set_projection`."""
        ...


class Connected(msgspec.Struct, Generic[D, S, Q], frozen=True):
    """What an open store works with: the database with its sessions, of one writer and of those that read."""

    database: D
    writer: GroupCommit[S]
    readers: Q


class ConnectedStore(ABC, Generic[D, S, Q]):
    """The port's words in terms of an adapter's parts, `schema` and `projections` being its modules of that name."""

    def __init__(
        self,
        name: str,
        tables: Sequence[AnyTable],
        *,
        schema: Schema[D, S],
        projections: Projections[D, S],
    ) -> None:
        self._name = name
        self._layouts = Layouts(tables)
        self._schema = schema
        self._projections = projections
        self._opened: tuple[Connected[D, S, Q], AsyncExitStack] | None = None

    async def open(self) -> None:
        """Connects; StartRefused when a stored table is newer. Tables that are missing wait for `migrate`."""
        async with AsyncExitStack() as closing:
            connected = await self._connect(closing)
            await connected.writer.submit_alone(partial(self._schema.check, connected.database))
            self._opened = connected, closing.pop_all()

    async def close(self) -> None:
        """Finishes what runs and disconnects; a second call does nothing."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened[1].aclose()

    async def migrate(self) -> None:
        """Creates tables, adds columns, creates and drops projections; all or nothing."""
        opened = self._connected()
        await opened.writer.submit_alone(partial(self._schema.migrate, opened.database))

    async def unmigrated(self) -> list[str]:
        """The tables that need `migrate`."""
        opened = self._connected()
        return await self._look(opened, partial(self._schema.unmigrated, opened.database))

    async def status(self) -> list[TableStatus]:
        """Every declared table, as it is stored."""
        opened = self._connected()
        return await self._look(opened, partial(self._schema.status, opened.database))

    async def projections(self) -> list[ProjectionStatus]:
        """Every declared projection, as it is stored."""
        opened = self._connected()
        return await self._look(opened, partial(self._projections.status, opened.database))

    async def set_projection(self, table: str, name: str, *, enabled: bool) -> None:
        """Creates or drops a projection."""
        opened = self._connected()
        change = partial(self._projections.switch, opened.database, table=table, name=name, enabled=enabled)
        await opened.writer.submit_alone(change)

    async def run(self, fn: Callable[[Tx], T]) -> T:
        """Runs `fn` as one transaction, in a commit that it may share with others."""
        return await self._connected().writer.submit(fn)

    @abstractmethod
    async def read(self, fn: Callable[[Reader], T], *, bounded: bool = False) -> T:
        """Runs `fn` on one snapshot."""

    @abstractmethod
    async def _connect(self, closing: AsyncExitStack) -> Connected[D, S, Q]:
        """Connects; `closing` takes what is to be closed, in the reverse order."""

    @abstractmethod
    async def _look(self, opened: Connected[D, S, Q], work: Callable[[S], T]) -> T:
        """Has `work` ask what is there, on a session outside any transaction."""

    def _connected(self) -> Connected[D, S, Q]:
        if self._opened is None:
            raise Unavailable(f"the tables of {self._name} are closed")
        return self._opened[0]
