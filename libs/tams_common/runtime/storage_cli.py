"""`tams storage`: what an operator does with the storage backends of media."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import click

from tams_common.config import Common
from tams_common.errors import StartRefused, Unavailable
from tams_common.objects import Backend, Objects
from tams_common.objects.checking import whose
from tams_common.objects.port import Condition, Owner, Prepares
from tams_common.runtime.aligned import print_aligned
from tams_common.runtime.storage_check_cli import OBJECTS, STORE, check, common_of, media_tables

_Work: TypeAlias = Callable[[Prepares], Awaitable[Condition]]

_TITLES: Final = ("backend", "id", "default", "place", "state", "browsers", "old versions", "marked by")
_GOOD: Final = frozenset({"ready", "created"})


@click.group()
def storage() -> None:
    """Prepare, show and check the storage backends of media."""


storage.add_command(check)


@storage.command()
@OBJECTS
@click.option("--create", is_flag=True, help="Also make the buckets that are absent.")
def init(objects: str | None, *, create: bool) -> None:
    """Prepare the buckets, and check that all can be used. Browsers are let in as `cors_origins` says."""
    _print(_on_backends(common_of(objects), lambda opened: opened.prepare(create=create)), ours=None)


@storage.command()
@STORE
@OBJECTS
def status(store: str | None, objects: str | None) -> None:
    """Show the backends, and whether they can be used. What differs from their declaration is shown, too.

    Whether they bear the mark of this store is not judged where the tables cannot be read.
    """
    common = common_of(objects, store=store)
    found = _on_backends(common, lambda opened: opened.condition())
    marked = any(condition.owner for _, condition in found)
    _print(found, ours=asyncio.run(_store_id(common)) if marked else None)


async def _store_id(common: Common) -> str | None:
    """The id of this store, empty before its first start; None, and said so, where the tables cannot be read."""
    try:
        async with media_tables(common) as (keeper, store):
            return await store.read(keeper.store_id) or ""
    except (StartRefused, Unavailable) as error:
        click.echo(f"whether marks are this store's cannot be told: {error.detail}", err=True)
        return None


def _print(found: list[tuple[Backend, Condition]], *, ours: str | None) -> None:
    """`ours` is the id of this store, None where that is not known."""
    print_aligned(_TITLES, [_cells(backend, condition, ours=ours) for backend, condition in found])
    bad = [_name(backend) for backend, condition in found if condition.state not in _GOOD]
    if bad:
        raise Unavailable(f"these backends cannot be used: {', '.join(bad)}")
    foreign = [_name(backend) for backend, condition in found if _is_foreign(backend, condition.owner, ours=ours)]
    if foreign:
        raise Unavailable(f"these backends bear a mark that is not this store's for them: {', '.join(foreign)}")


def _name(backend: Backend) -> str:
    return backend.label or backend.id


def _cells(backend: Backend, condition: Condition, *, ours: str | None) -> tuple[str, ...]:
    default = "yes" if backend.default_storage else ""
    told = (condition.place, condition.state, condition.cors, condition.versions)
    return (backend.label or "", backend.id, default, *told, _marked(backend, condition.owner, ours=ours))


def _marked(backend: Backend, owner: Owner | None, *, ours: str | None) -> str:
    """Whose mark a backend bears: several stores or backends must not share a place."""
    if owner is None:
        return ""
    if ours is None:
        return f"store {owner.store}" + (f" as backend {owner.backend}" if owner.backend != backend.id else "")
    return whose(owner, Owner(ours, backend.id)) if _is_foreign(backend, owner, ours=ours) else "this store"


def _is_foreign(backend: Backend, owner: Owner | None, *, ours: str | None) -> bool:
    return ours is not None and owner is not None and owner != Owner(ours, backend.id)


def _on_backends(common: Common, work: _Work) -> list[tuple[Backend, Condition]]:
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

    return asyncio.run(use_all())
