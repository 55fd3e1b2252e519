"""The catalog as it runs: its real tables and bus, with a stand-in for segments."""

from collections.abc import AsyncIterator
from typing import Any, Self

import msgspec
import pytest
from msgspec import Struct
from prometheus_client import CollectorRegistry

from tams_catalog.config import CatalogConfig
from tams_catalog.service import SERVICE
from tams_common.auth.principal import ADMIN, Principal
from tams_common.bus.sqlite import SqliteBus
from tams_common.clock import ManualClock
from tams_common.config import Common
from tams_common.events import TOPICS
from tams_common.http.app import ServiceApp
from tams_common.http.message import Context
from tams_common.http.transport import MemoryTransport
from tams_common.ids import new_id
from tams_common.outbox import OUTBOX, OutboxRow
from tams_common.runtime.service import Built, Parts
from tams_common.store import Query, Store
from tests.catalog.segments_stand_in import SegmentsStandIn
from tests.common.http_client import BASE_URL, Client
from tests.stores import make_store


class Told(Struct, frozen=True):
    """An event in the outbox, with its `event` member decoded."""

    type: str
    key: str
    at: int
    event: Any
    collected_by: str
    source_collected_by: str

    @classmethod
    def of(cls, row: OutboxRow) -> Self:
        """What `row` tells."""
        event = msgspec.json.decode(row.value)["event"]
        return cls(row.type, row.key, row.at, event, row.flow_collected_by, row.source_collected_by)


class House(Struct):
    """One catalog and all that a test may want to look at."""

    client: Client
    store: Store
    bus: SqliteBus
    clock: ManualClock
    segments: SegmentsStandIn
    built: Built

    def client_of(self, subject: str) -> Client:
        """A client whose requests are `subject`'s."""
        context = Context(base_url=BASE_URL, principal=Principal(subject, frozenset({ADMIN})))
        return Client(ServiceApp(self.built.routes), context=context)

    async def staged(self) -> list[Told]:
        """The events in the outbox, by type and key."""
        rows = (await self.store.read(lambda reader: reader.scan(OUTBOX, Query()))).rows
        return sorted((Told.of(row) for row in rows), key=lambda told: (told.type, told.key))

    async def forget_events(self) -> None:
        """Empties the outbox."""
        rows = (await self.store.read(lambda reader: reader.scan(OUTBOX, Query()))).rows
        await self.store.run(lambda tx: tx.delete(OUTBOX, [OUTBOX.key_of(row) for row in rows]))

    async def told(self) -> list[tuple[str, str]]:
        """Type and key of the events since this was last asked."""
        found = [(told.type, told.key) for told in await self.staged()]
        await self.forget_events()
        return found


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A catalog without anything in it; nothing runs beside the handlers."""
    store = make_store(None, "catalog", tables=SERVICE.tables)
    bus = SqliteBus(None)
    await store.open()
    await store.migrate()
    await bus.open()
    await bus.apply(TOPICS)
    segments, clock = SegmentsStandIn(), ManualClock()
    parts = Parts(
        common=Common(),
        store=store,
        bus=bus,
        objects=(),
        peers={"segments": MemoryTransport(segments.app)},
        clock=clock,
        new_id=new_id,
        registry=CollectorRegistry(),
    )
    built = SERVICE.build(CatalogConfig(deletion_sweep=0.01), parts)
    yield House(Client(ServiceApp(built.routes)), store, bus, clock, segments, built)
    await bus.close()
    await store.close()
