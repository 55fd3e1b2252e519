"""What a service is to the host: a name, its configuration and tables, and one function that puts it together."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import msgspec
from prometheus_client import CollectorRegistry

from tams_common.bus import Bus
from tams_common.clock import Clock
from tams_common.config import Common
from tams_common.http.routing import Route
from tams_common.http.transport import App, Transport
from tams_common.ids import IdSource
from tams_common.objects import Objects
from tams_common.objects.checking import Options, Report
from tams_common.store import Reader, Store
from tams_common.store.table import AnyTable

C = TypeVar("C", bound=msgspec.Struct)


class Behaviour(Protocol):
    """Something that runs beside the handlers for the life of the service: a relay, a subscription, a sweep."""

    async def run(self) -> None:
        """Runs until cancelled; what it raises stops the process."""
        ...


Check: TypeAlias = Callable[[], Awaitable[None]]
"""Raises when a dependency is not usable: `/readyz` asks all of them."""


class Parts(msgspec.Struct, frozen=True):
    """What the host gives a service. Opened before `build` is called, closed after the behaviours have ended.

    `peers` reaches the other services by name. A service that declares no tables gets no store of its own. `registry`
    holds the metrics of the process.
    """

    common: Common
    store: Store
    bus: Bus
    objects: Sequence[Objects]
    peers: Mapping[str, Transport]
    clock: Clock
    new_id: IdSource
    registry: CollectorRegistry


class Built(msgspec.Struct, frozen=True):
    """A service put together: the paths it answers and what runs beside them.

    `app` replaces the kit's own routing (the gateway routes to services instead of handlers).
    """

    routes: Sequence[Route] = ()
    behaviours: Sequence[Behaviour] = ()
    checks: Sequence[Check] = ()
    app: App | None = None


class StorageCheck(Protocol):
    """Compares what a service knows of media with what the backends hold; raises `Unavailable`."""

    async def __call__(
        self, store: Store, backends: Sequence[Objects], *, options: Options, clock: Clock
    ) -> Report: ...


class Keeper(msgspec.Struct, frozen=True):
    """What the service that keeps media tells `tams storage`: `check` compares tables and bytes, `store_id` reads what
    the marks of this store have as its id, None before the first start."""

    check: StorageCheck
    store_id: Callable[[Reader], str | None]


class Service(msgspec.Struct, Generic[C], frozen=True):
    """The one object that a service's `service` module exports, found by the entry point group `tams.services`.

    `keeper` is there if the service keeps media.
    """

    name: str
    config: type[C]
    build: Callable[[C, Parts], Built]
    tables: tuple[AnyTable, ...] = ()
    peers: tuple[str, ...] = ()
    uses_objects: bool = False
    keeper: Keeper | None = None


AnyService: TypeAlias = Service[Any]
