"""`tams storage`: what an operator does with the storage backends of media."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import click

from tams_common.config import Common, read
from tams_common.errors import StartRefused, Unavailable
from tams_common.objects import Backend, Objects
from tams_common.objects.port import Condition, Owner, Prepares
from tams_common.runtime.aligned import print_aligned
from tams_common.runtime.storage_check_cli import check

_Work: TypeAlias = Callable[[Prepares], Awaitable[Condition]]

_OBJECTS = click.option("--objects", default=None, metavar="URL", help="The backends; otherwise TAMS_OBJECTS_URL.")
_TITLES: Final = ("backend", "id", "default", "place", "state", "browsers", "old versions", "marked by")
_GOOD: Final = frozenset({"ready", "created"})


@click.group()
def storage() -> None:
    """Prepare, show and check the storage backends of media."""


storage.add_command(check)


@storage.command()
@_OBJECTS
@click.option("--create", is_flag=True, help="Also make the buckets that are absent.")
def init(objects: str | None, *, create: bool) -> None:
    """Prepare the buckets, and check that all can be used. Browsers are let in as `cors_origins` says."""
    _print(_on_backends(objects, lambda opened: opened.prepare(create=create)))


@storage.command()
@_OBJECTS
def status(objects: str | None) -> None:
    """Show the backends, and whether they can be used. What differs from their declaration is shown, too."""
    _print(_on_backends(objects, lambda opened: opened.condition()))


def _print(found: list[tuple[Backend, Condition]]) -> None:
    print_aligned(_TITLES, [_cells(backend, condition) for backend, condition in found])
    bad = [backend.label or backend.id for backend, condition in found if condition.state not in _GOOD]
    if bad:
        raise Unavailable(f"these backends cannot be used: {', '.join(bad)}")


def _cells(backend: Backend, condition: Condition) -> tuple[str, ...]:
    default = "yes" if backend.default_storage else ""
    told = (condition.place, condition.state, condition.cors, condition.versions)
    return (backend.label or "", backend.id, default, *told, _marked(backend, condition.owner))


def _marked(backend: Backend, owner: Owner | None) -> str:
    """Whose mark a backend bears: several stores or backends must not share a place."""
    if owner is None:
        return ""
    return f"store {owner.store}" + (f" as backend {owner.backend}" if owner.backend != backend.id else "")


def _on_backends(url: str | None, work: _Work) -> list[tuple[Backend, Condition]]:
    from tams_common.runtime import wiring

    async def use(objects: Objects) -> tuple[Backend, Condition]:
        if not isinstance(objects, Prepares):
            return objects.backend, Condition("", "ready")
        try:
            await objects.open()
        except StartRefused as error:
            return objects.backend, Condition("", error.detail)
        try:
            return objects.backend, await work(objects)
        except Unavailable as error:
            return objects.backend, Condition("", error.detail)
        finally:
            await objects.close()

    async def use_all() -> list[tuple[Backend, Condition]]:
        return [await use(objects) for objects in wiring.make_objects(common)]

    common = read(Common, "TAMS_", environ=dict(os.environ) | ({"TAMS_OBJECTS_URL": url} if url else {}))
    return asyncio.run(use_all())
