"""The webhooks service on real parts: tables and bus in memory, a clock that is moved, a receiver on a real socket."""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry

from tams_common.auth.principal import DELETE, READ, WRITE, Principal
from tams_common.bus.cloudevents import to_message
from tams_common.bus.sqlite import SqliteBus
from tams_common.clock import SECOND, ManualClock
from tams_common.config import Common
from tams_common.events import (
    TOPICS,
    Draft,
    Envelope,
    Subject,
    flow_updated,
    segments_added,
    source_updated,
)
from tams_common.http.app import ServiceApp
from tams_common.http.message import Context
from tams_common.http.transport import App, MemoryTransport
from tams_common.ids import EventId, FlowId, SourceId, new_id
from tams_common.runtime.service import Built, Parts
from tams_common.runtime.supervisor import Supervisor
from tams_common.store import Query, Store, Table, eq
from tams_common.store.table import R
from tams_webhooks.config import WebhooksConfig
from tams_webhooks.log import append
from tams_webhooks.service import SERVICE
from tams_webhooks.tables import (
    ATTEMPTS,
    LANES,
    PARKED,
    TABLES,
    WEBHOOKS,
    AttemptRow,
    LaneRow,
    ParkedRow,
    WebhookRow,
)
from tests.common.http_client import BASE_URL, Client
from tests.stores import make_store
from tests.webhooks.receiver import Receiver, receiver

FLOW = FlowId("10000000-0000-4000-8000-000000000001")
OTHER_FLOW = FlowId("10000000-0000-4000-8000-000000000002")
SOURCE = SourceId("20000000-0000-4000-8000-000000000001")
OWNER = Principal("owner", frozenset({READ, WRITE, DELETE}))
ALL_TYPES = (
    "flows/created",
    "flows/updated",
    "flows/deleted",
    "flows/segments_added",
    "flows/segments_deleted",
    "sources/created",
    "sources/updated",
    "sources/deleted",
)
CONFIG = WebhooksConfig(
    encryption_keys=Fernet.generate_key().decode(),
    signing_keys=f"whsk_{base64.b64encode(bytes(range(32))).decode()}",
    allow="127.0.0.0/8",
    sweep=0.02,
)
"""Deliveries to this machine are allowed, and what is done by the clock is looked for often."""


class Rig:
    """What a test holds in its hands. `parts` are shared by the service and, with `replica`, further ones of it."""

    def __init__(self, receiver: Receiver, *, parts: Parts, config: WebhooksConfig) -> None:
        self.receiver = receiver
        self.parts = parts
        self.config = config
        self.store = parts.store
        self.bus = parts.bus
        assert isinstance(parts.clock, ManualClock)
        self.clock = parts.clock
        self.built: Built = SERVICE.build(config, parts)
        self.client = self.client_of(OWNER)

    def client_of(self, principal: Principal) -> Client:
        """A client of somebody."""
        context = Context(request_id="test", base_url=BASE_URL, principal=principal)
        return Client(ServiceApp(self.built.routes, clock=self.clock), context=context)

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Supervisor]:
        """Everything that runs beside the handlers; what fails there fails the test. Hanging requests are answered when
        it is to stop, as it waits for them."""
        supervisor = Supervisor()
        supervisor.start(SERVICE.name, self.built.behaviours)
        try:
            yield supervisor
        finally:
            self.receiver.release()
            await supervisor.stop()
        if supervisor.failure.done():
            raise supervisor.failure.result()

    async def publish(self, *envelopes: Envelope) -> None:
        """Puts events onto the bus, as relays of other services do."""
        assert not await self.bus.publish([to_message(envelope) for envelope in envelopes])

    async def append(self, *envelopes: Envelope) -> None:
        """Puts events into the log at once, as the subscription does; lanes find them at the next sweep."""
        await self.store.run(lambda tx: [append(tx, envelope, at=self.clock()) for envelope in envelopes])

    async def put(self, webhook_id: str, **changes: object) -> Any:  # noqa: ANN401 — JSON
        """Changes members of a webhook; without a status it stays enabled."""
        shown = (await self.client.get(f"/service/webhooks/{webhook_id}")).json()
        body = {name: value for name, value in shown.items() if name != "error"} | {"status": "created"} | changes
        return (await self.client.put(f"/service/webhooks/{webhook_id}", body, expect=201)).json()

    async def webhook(self, webhook_id: str) -> WebhookRow:
        """The webhook as it is stored."""
        return await self._row(WEBHOOKS, webhook_id)

    async def lane(self, webhook_id: str) -> LaneRow:
        """Its lane."""
        return await self._row(LANES, webhook_id)

    async def parked(self, webhook_id: str) -> list[ParkedRow]:
        """Its flows that wait."""
        query = Query(where=(eq("webhook_id", webhook_id),))
        return (await self.store.read(lambda tx: tx.scan(PARKED, query))).rows

    async def attempts(self, webhook_id: str) -> list[AttemptRow]:
        """Its attempts, the oldest first."""
        query = Query(where=(eq("webhook_id", webhook_id),))
        return (await self.store.read(lambda tx: tx.scan(ATTEMPTS, query))).rows

    async def outcomes(self, webhook_id: str) -> list[tuple[str, str]]:
        """The ids and outcomes of its attempts, the oldest first."""
        return [(attempt.event_id, attempt.outcome) for attempt in await self.attempts(webhook_id)]

    async def _row(self, table: Table[R], key: str) -> R:
        row = await self.store.read(lambda tx: tx.get(table, (key,)))
        assert row is not None
        return row

    async def register(self, url: str, **more: object) -> str:
        """Registers a webhook for all events, but for what `more` says; its id."""
        body = {"url": url, "events": ALL_TYPES} | more
        return str((await self.client.post("/service/webhooks", body)).json()["id"])


def flow_event(flow_id: FlowId = FLOW, source_id: SourceId = SOURCE, *, at: int = SECOND, label: str = "") -> Envelope:
    """`flows/updated`."""
    flow = f'{{"id":"{flow_id}","source_id":"{source_id}","label":"{label}"}}'
    return sealed(flow_updated(flow.encode(), Subject(flow_id=flow_id, source_id=source_id)), at=at)


def source_event(source_id: SourceId = SOURCE, *, at: int = SECOND) -> Envelope:
    """`sources/updated`."""
    return sealed(source_updated(f'{{"id":"{source_id}"}}'.encode(), Subject(source_id=source_id)), at=at)


def segments_event(*segments: bytes, flow_id: FlowId = FLOW, at: int = SECOND) -> Envelope:
    """`flows/segments_added`."""
    (draft,) = segments_added(segments, Subject(flow_id=flow_id, source_id=SOURCE))
    return sealed(draft, at=at)


def sealed(draft: Draft, *, at: int = SECOND) -> Envelope:
    """The event with a fresh id."""
    return draft.seal(id=EventId(new_id()), at=at)


@asynccontextmanager
async def running(
    config: WebhooksConfig = CONFIG,
    *,
    directory: Path | None = None,
    segments: App | None = None,
    common: Common | None = None,
    fault: Callable[[Store], Store] = lambda store: store,
) -> AsyncIterator[Rig]:
    """The service on tables and a bus in `directory`, or in memory; its behaviours are started by `Rig.started`.

    `segments` is the service that is asked for URLs; without one that is answered 404. `fault` stands between the
    service and its tables.
    """
    clock = ManualClock()
    async with AsyncExitStack() as stack:
        hooks = await stack.enter_async_context(receiver())
        store = make_store(directory, SERVICE.name, tables=TABLES)
        bus = SqliteBus(directory, clock=clock)
        for resource in (store, bus):
            await resource.open()
            stack.push_async_callback(resource.close)
        await store.migrate()
        await bus.apply(TOPICS)
        parts = Parts(
            common=common or Common(),
            store=fault(store),
            bus=bus,
            objects=(),
            peers={"segments": MemoryTransport(segments or ServiceApp(()))},
            clock=clock,
            new_id=new_id,
            registry=CollectorRegistry(),
        )
        yield Rig(hooks, parts=parts, config=config)
