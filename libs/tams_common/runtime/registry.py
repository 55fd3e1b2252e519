"""Finds the services that are installed, by entry point, without importing those that are not asked for."""

from importlib.metadata import EntryPoint, entry_points
from typing import Final

from tams_common.errors import StartRefused
from tams_common.runtime.service import AnyService, Service

GROUP: Final = "tams.services"


def installed() -> dict[str, EntryPoint]:
    """Every installed service by name."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def load(name: str) -> AnyService:
    """The service `name`; raises `StartRefused` when it is not installed."""
    found = installed()
    if name not in found:
        raise StartRefused(f"there is no service {name!r} here; installed are: {', '.join(found) or 'none'}")
    service = found[name].load()
    if not isinstance(service, Service):
        raise StartRefused(f"the entry point {name!r} of the group {GROUP} is not a Service")
    return service


def load_all() -> list[AnyService]:
    """Every installed service."""
    return [load(name) for name in installed()]
