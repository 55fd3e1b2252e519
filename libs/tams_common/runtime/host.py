"""The one runner of services: the same steps for one service in a process and for all of them (architecture 7)."""

import asyncio
import sys
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, Protocol, TypeVar, cast

from tams_common.bus import Bus
from tams_common.clock import system_clock
from tams_common.config import Common, check_keys, read, service_prefix
from tams_common.errors import StartRefused, Unavailable
from tams_common.events import TOPICS
from tams_common.http.app import ServiceApp
from tams_common.http.client import HttpTransport
from tams_common.http.edge import Edge
from tams_common.http.health import WithHealth
from tams_common.http.message import Request, Response
from tams_common.http.transport import App, MemoryTransport, Transport
from tams_common.ids import new_id
from tams_common.metrics import process_registry
from tams_common.objects import Objects
from tams_common.runtime import wiring
from tams_common.runtime.event_metrics import EventMetrics
from tams_common.runtime.opening import BusOpening
from tams_common.runtime.service import AnyService, Built, Parts
from tams_common.runtime.supervisor import Supervisor
from tams_common.store import Store

GATEWAY: Final = "api-gateway"
SWITCH_INTERVAL: Final = 0.0005
"""Seconds between thread switches: a busy writer thread then holds up the event loop for less (architecture 3)."""


class Resource(Protocol):
    """What the host opens before, and closes after, everything that uses it."""

    async def open(self) -> None: ...
    async def close(self) -> None: ...


R = TypeVar("R", bound=Resource)


class Absent:
    """Stands for a resource that a service has not declared; any use of it is a programming error."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __getattr__(self, name: str) -> object:
        raise TypeError(f"a service without tables has no {self._what}")


class Host:
    """Runs `services` in this process and serves one of them on a socket: the gateway where it is among them.

    `environ` is the configuration. `migrate` brings tables up to date at the start (development) instead of refusing.
    """

    def __init__(self, services: Sequence[AnyService], environ: Mapping[str, str], *, migrate: bool = False) -> None:
        self._services = services
        self._migrate = migrate
        check_keys(environ, {service.name: service.config for service in services})
        self.common = read(Common, "TAMS_", environ=environ)
        self._configs = {s.name: read(s.config, service_prefix(s.name), environ=environ) for s in services}
        self._apps: dict[str, App] = {}
        self._stores: dict[str, Store] = {}
        self._registry = process_registry()
        self._stack = AsyncExitStack()
        self._opening: BusOpening | None = None
        self._supervisor: Supervisor | None = None
        self._ready = False
        self.address = ("", 0)

    @property
    def url(self) -> str:
        """Where the process listens."""
        host, port = self.address
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def app(self) -> App:
        """What the socket serves, for callers in the same process."""
        names = [service.name for service in self._services]
        return self._apps[GATEWAY if GATEWAY in names else names[0]]

    async def start(self) -> None:
        """Opens everything, builds the services, starts what runs beside them, then listens. A bus that is away is
        waited for behind that: changes are taken, and the process is not ready.

        What fails closes what was opened before it and is raised: `StartRefused` for what an operator can mend.
        """
        sys.setswitchinterval(SWITCH_INTERVAL)
        try:
            built = await self._build()
            await self._serve(built)
        except BaseException:
            await self._stack.aclose()
            raise

    async def _build(self) -> dict[str, Built]:
        bus, objects = await self._open_shared()
        built: dict[str, Built] = {}
        for service in self._services:
            store = await self._open_store(service)
            peers = {name: await self._transport(name) for name in service.peers}
            parts = Parts(
                common=self.common,
                store=store,
                bus=bus,
                objects=objects,
                peers=peers,
                clock=system_clock,
                new_id=new_id,
                registry=self._registry,
            )
            built[service.name] = service.build(self._configs[service.name], parts)
        return built

    async def _open_shared(self) -> tuple[Bus, tuple[Objects, ...]]:
        bus, objects = cast(Bus, Absent("bus")), tuple[Objects, ...]()
        if any(service.tables for service in self._services):
            bus = wiring.make_bus(self.common.bus_url)
            self._stack.push_async_callback(bus.close)
            self._opening = BusOpening(bus, TOPICS)
            await self._opening.attempt()
        if any(service.uses_objects for service in self._services):
            objects = wiring.make_objects(self.common)
            for backend in objects:
                await self._opened(backend)
        return bus, objects

    async def _open_store(self, service: AnyService) -> Store:
        if not service.tables:
            return cast(Store, Absent("store"))
        store = await self._opened(wiring.make_store(self.common, service.name, tables=service.tables))
        if self._migrate:
            await store.migrate()
        for name in await store.unmigrated():
            raise StartRefused(f"table {name} of {service.name} is not migrated: run `tams tables migrate`")
        self._stores[service.name] = store
        return store

    async def _transport(self, name: str) -> Transport:
        if any(service.name == name for service in self._services):

            def call(request: Request) -> Coroutine[Any, Any, Response]:
                return self._apps[name](request)

            return MemoryTransport(call)
        url = getattr(self.common, f"{name.replace('-', '_')}_url")
        return await self._opened(HttpTransport(url))

    async def _opened(self, resource: R) -> R:
        await resource.open()
        self._stack.push_async_callback(resource.close)
        return resource

    async def _serve(self, built: Mapping[str, Built]) -> None:
        checks = [self._check_ready, *(check for made in built.values() for check in made.checks)]
        for name, made in built.items():
            self._apps[name] = made.app or ServiceApp(made.routes)
        EventMetrics(self._registry, {name: made.behaviours for name, made in built.items()}, clock=system_clock)
        self._supervisor = Supervisor()
        self._stack.push_async_callback(self._supervisor.stop)
        if self._opening is not None:
            self._supervisor.start("host", [self._opening])
        for name, made in built.items():
            self._supervisor.start(name, made.behaviours)
        edge = Edge(WithHealth(self.app, checks, self._registry), trusted=GATEWAY not in built)
        self._stack.push_async_callback(edge.stop)
        host, port = parse_listen(self.common.listen)
        try:
            self.address = await edge.start(host, port)
        except OSError as error:
            raise StartRefused(f"cannot listen on {self.common.listen}: {error.strerror or error}") from error
        self._ready = True

    async def _check_ready(self) -> None:
        if not self._ready:
            raise Unavailable("the process is starting or stopping")
        for store in self._stores.values():
            await store.read(lambda tx: None)
        if self._opening is not None:
            await self._opening.check()

    async def wait(self) -> BaseException:
        """Returns what ended a behaviour, when one ends; a store without its relay must not go on."""
        if self._supervisor is None:
            raise RuntimeError("the host has not been started")
        return await asyncio.shield(self._supervisor.failure)

    async def stop(self) -> None:
        """Not ready, stop accepting, drain, end the behaviours, close everything in reverse order."""
        self._ready = False
        await self._stack.aclose()


def parse_listen(listen: str) -> tuple[str, int]:
    """`HOST:PORT` → host and port; raises `StartRefused`."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise StartRefused(f"configuration key TAMS_LISTEN: {listen!r} is not HOST:PORT")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104
