"""The use cases of sources, each one transaction or one read. Sources come and go with flows (SRC-1)."""

from collections.abc import Callable

from msgspec import UNSET
from msgspec.structs import replace

from tams_catalog.changes import Changes
from tams_catalog.documents import source_of
from tams_catalog.listing import Ask, Listing, list_sources
from tams_catalog.tables import SOURCES, SourceRow
from tams_catalog.transactions import Transactions
from tams_common.clock import date_time
from tams_common.errors import NotFound
from tams_common.http.message import Context
from tams_common.ids import SourceId
from tams_common.model.source import Source


class Sources:
    """Sources, as handlers see them."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._store = transactions.store

    async def edit(self, source_id: str, change: Callable[[Source], Source], *, context: Context) -> None:
        """Replaces a source by what `change` makes of it; raises `NotFound` (SRC-19)."""
        subject = context.principal.subject
        await self._transactions.change(
            lambda changes: edit_source(changes, SourceId(source_id), change=change, subject=subject)
        )

    async def look(self, source_id: str) -> Source:
        """A source as a value; raises `NotFound`."""
        return source_of(await self._row(source_id)).source

    async def one(self, source_id: str) -> bytes:
        """The JSON of a source; raises `NotFound`."""
        return (await self._row(source_id)).body

    async def page(self, ask: Ask) -> Listing:
        """A page of sources."""
        return await self._store.read(lambda reader: list_sources(reader, ask), bounded=ask.bounded)

    async def _row(self, source_id: str) -> SourceRow:
        row = await self._store.read(lambda reader: reader.get(SOURCES, (source_id,)), bounded=True)
        if row is None:
            raise NotFound(f"there is no source {source_id}")
        return row


def edit_source(changes: Changes, source_id: SourceId, *, change: Callable[[Source], Source], subject: str) -> None:
    """Changes a source, if `change` changes anything."""
    before = changes.source(source_id)
    if before is None:
        raise NotFound(f"there is no source {source_id}")
    source = change(before.source)
    if source == before.source:
        return
    source = replace(source, updated_by=subject or UNSET, updated=date_time(changes.now))
    changes.put_source(replace(before, source=source, updated=changes.now))
