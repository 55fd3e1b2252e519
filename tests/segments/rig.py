"""The segments service on real parts, with a stand-in for catalog that knows the flows a test declares."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from prometheus_client import CollectorRegistry

from tams_common.bus import Bus
from tams_common.bus.sqlite import SqliteBus
from tams_common.clock import ManualClock
from tams_common.config import Common
from tams_common.errors import NotFound
from tams_common.events import TOPICS
from tams_common.http.app import ServiceApp
from tams_common.http.codec import decode_json, json_response
from tams_common.http.message import Request, Response
from tams_common.http.routing import Route
from tams_common.http.transport import MemoryTransport
from tams_common.ids import Incarnation, SourceId, new_id
from tams_common.model.facts import FlowDeletion, FlowFacts
from tams_common.objects import Objects
from tams_common.objects.local import LocalObjects
from tams_common.outbox import OUTBOX, OutboxRow
from tams_common.runtime.service import Built, Parts
from tams_common.store import Query, Store
from tams_common.timerange import TimeRange
from tams_segments.collector import Collector
from tams_segments.config import SegmentsConfig
from tams_segments.copy_worker import CopyWorker
from tams_segments.deletion_worker import DeletionWorker
from tams_segments.service import SERVICE
from tams_segments.tables import OBJECTS, TABLES
from tests.common.http_client import Client
from tests.stores import make_store

FLOW = "10000000-0000-4000-8000-000000000001"
OTHER_FLOW = "10000000-0000-4000-8000-000000000002"
SOURCE = "20000000-0000-4000-8000-000000000001"
LOCAL = "local"
FACTS = FlowFacts(
    version="1",
    incarnation=Incarnation("first"),
    source_id=SourceId(SOURCE),
    format="urn:x-nmos:format:video",
    container="video/mp2t",
)


class Catalog:
    """Answers the facts of the flows it was told of, as catalog does."""

    def __init__(self) -> None:
        self.flows: dict[str, FlowFacts] = {}
        self.asked: list[str | None] = []
        self._versions = count(1)
        self.let_go: list[str] = []
        self.is_down = False
        self.app = ServiceApp(
            (
                Route("GET", "/internal/flows/{flow_id}/facts", self._facts),
                Route("PUT", "/internal/flows/{flow_id}/deletion", self._let_go),
            )
        )

    def put(self, flow_id: str = FLOW, **changes: Any) -> FlowFacts:  # noqa: ANN401 — fields of FlowFacts
        """Declares or changes a flow."""
        known = self.flows.get(flow_id, FACTS)
        self.flows[flow_id] = msgspec.structs.replace(known, version=str(next(self._versions)), **changes)
        return self.flows[flow_id]

    async def _let_go(self, request: Request) -> Response:
        if self.is_down:
            return Response(503)
        self.let_go.append(decode_json(await request.read(), FlowDeletion).incarnation)
        return Response(204)

    async def _facts(self, request: Request) -> Response:
        facts = self.flows.get(request.params["flow_id"])
        tag = request.headers.get("if-none-match")
        self.asked.append(tag)
        if facts is None:
            raise NotFound("no such flow")
        return Response(304) if tag == f'"{facts.version}"' else json_response(facts)


class Rig:
    """What a test holds in its hands."""

    def __init__(self, objects: LocalObjects, catalog: Catalog, *, parts: Parts, config: SegmentsConfig) -> None:
        self.store = parts.store
        self.objects = objects
        self.catalog = catalog
        self.parts = parts
        assert isinstance(parts.clock, ManualClock)
        self.clock = parts.clock
        self.built: Built = SERVICE.build(config, parts)
        self.client = Client(ServiceApp(self.built.routes, clock=parts.clock))

    @property
    def collector(self) -> Collector:
        """The behaviour that removes what nobody needs."""
        return next(behaviour for behaviour in self.built.behaviours if isinstance(behaviour, Collector))

    @property
    def copies(self) -> CopyWorker:
        """The behaviour that makes copies."""
        return next(behaviour for behaviour in self.built.behaviours if isinstance(behaviour, CopyWorker))

    @property
    def worker(self) -> DeletionWorker:
        """The behaviour that carries deletions on."""
        return next(behaviour for behaviour in self.built.behaviours if isinstance(behaviour, DeletionWorker))

    async def allocate(self, *names: str, flow_id: str = FLOW) -> None:
        """Allocates objects for a flow."""
        await self.client.post(f"/flows/{flow_id}/storage", {"object_ids": names})

    async def upload(self, name: str, data: bytes, *, content_type: str = "video/mp2t") -> None:
        """Puts bytes where an object was allocated."""
        known = await self.store.read(lambda tx: tx.get(OBJECTS, (name,)))
        assert known is not None

        async def body() -> AsyncIterator[bytes]:
            yield data

        await self.objects.put(known.storage_key or "", body(), headers={"content-type": content_type})

    async def add(self, *timeranges: str, flow_id: str = FLOW) -> list[str]:
        """Adds a segment with a new object for each timerange; returns the object ids."""
        names = [new_id() for _ in timeranges]
        await self.allocate(*names, flow_id=flow_id)
        items = [segment(name, timerange) for name, timerange in zip(names, timeranges, strict=True)]
        await self.client.post(f"/flows/{flow_id}/segments", items)
        return names

    async def timeranges(self, query: str = "", flow_id: str = FLOW) -> list[str]:
        """The timeranges of the flow's segments, on one page."""
        answer = await self.client.get(f"/flows/{flow_id}/segments?limit=1000&accept_get_urls=&{query}")
        return [item["timerange"] for item in answer.json()]

    async def events(self) -> list[OutboxRow]:
        """What is staged, oldest first."""
        return (await self.store.read(lambda tx: tx.scan(OUTBOX, Query()))).rows

    async def told(self, kind: str) -> list[Any]:
        """The `event` members of the staged events of a kind."""
        return [msgspec.json.decode(row.value)["event"] for row in await self.events() if row.type == kind]

    async def replayed(self, incarnation: str | None = None) -> list[str]:
        """The timeranges that somebody has who applies the events of segments one after another; of one incarnation of
        a flow only, where one is named."""
        known: list[TimeRange] = []
        for row in await self.events():
            if incarnation is not None and row.incarnation != incarnation:
                continue
            event = msgspec.json.decode(row.value)["event"]
            if row.type == "flows/segments_added":
                known += [TimeRange.parse(item["timerange"]) for item in event["segments"]]
            else:
                gone = TimeRange.parse(event["timerange"])
                known = [each for each in known if not gone.contains(each)]
        return sorted(map(str, known))


def segment(object_id: str, timerange: str, **more: object) -> dict[str, object]:
    """A minimal valid segment."""
    return {"object_id": object_id, "timerange": timerange, **more}


def seconds(*starts: int) -> list[str]:
    """Timeranges of one second."""
    return [f"[{start}:0_{start + 1}:0)" for start in starts]


def object_id(number: int) -> str:
    """A readable id."""
    return str(UUID(int=number, version=4))


@asynccontextmanager
async def running(
    media: Path,
    *,
    directory: Path | None = None,
    catalog: Catalog | None = None,
    config: SegmentsConfig | None = None,
    more: Sequence[Objects] = (),
) -> AsyncIterator[Rig]:
    """The service on a store in `directory`, or in memory; `more` backends stand beside the default one."""
    common, clock = Common(), ManualClock()
    async with AsyncExitStack() as stack:
        store = make_store(directory, SERVICE.name, tables=TABLES)
        objects = LocalObjects(media, url_lifetime=common.min_presigned_url_timeout, clock=clock)
        bus = SqliteBus(None, clock=clock)
        resources: Sequence[Store | Bus | Objects] = (store, objects, bus, *more)
        for resource in resources:
            await resource.open()
            stack.push_async_callback(resource.close)
        await store.migrate()
        await bus.apply(TOPICS)
        catalog = catalog or Catalog()
        peers = {"catalog": MemoryTransport(catalog.app)}
        parts = Parts(
            common=common,
            store=store,
            bus=bus,
            objects=(objects, *more),
            peers=peers,
            clock=clock,
            new_id=new_id,
            registry=CollectorRegistry(),
        )
        yield Rig(objects, catalog, parts=parts, config=config or SegmentsConfig())


def names_of(items: Sequence[Any]) -> list[str]:
    """The object ids of segments."""
    return [item["object_id"] for item in items]
