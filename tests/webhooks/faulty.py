"""Real tables whose database is down at times, or whose answers to commits are lost."""

from collections.abc import Callable
from typing import TypeVar

from tams_common.errors import OutcomeUnknown, Unavailable
from tams_common.store import ProjectionStatus, Reader, Store, TableStatus, Tx

T = TypeVar("T")


class FaultyStore:
    """Does what `store` does. While it `is_down` it answers nothing; of its commits, those lose their answers that
    `loses` says so of, by their count."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_down = False
        self.loses: Callable[[int], bool] = lambda _: False
        self.commits = 0

    async def open(self) -> None:
        await self._store.open()

    async def close(self) -> None:
        await self._store.close()

    async def migrate(self) -> None:
        await self._store.migrate()

    async def unmigrated(self) -> list[str]:
        return await self._store.unmigrated()

    async def status(self) -> list[TableStatus]:
        return await self._store.status()

    async def projections(self) -> list[ProjectionStatus]:
        return await self._store.projections()

    async def set_projection(self, table: str, name: str, *, enabled: bool) -> None:
        await self._store.set_projection(table, name, enabled=enabled)

    async def run(self, fn: Callable[[Tx], T]) -> T:
        self._check()
        result = await self._store.run(fn)
        self.commits += 1
        if self.loses(self.commits):
            raise OutcomeUnknown("the answer of the commit was lost")
        return result

    async def read(self, fn: Callable[[Reader], T], *, bounded: bool = False) -> T:
        self._check()
        return await self._store.read(fn, bounded=bounded)

    def _check(self) -> None:
        if self.is_down:
            raise Unavailable("the database is down")
