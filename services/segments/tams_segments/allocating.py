"""Allocating media objects: places to upload to before there is a segment (STO)."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET

from tams_common.clock import SECOND, Clock
from tams_common.errors import InvalidInput
from tams_common.ids import FlowId, IdSource
from tams_common.objects import Objects
from tams_common.store import Store, Tx
from tams_segments.requests import StoragePost
from tams_segments.tables import ALLOCATIONS, OBJECTS, Allocation, MediaObject

T = TypeVar("T")
R = TypeVar("R")

_STEP: Final = 500
"""Objects after which others get their turn: a request may name tens of thousands."""


class PutUrl(msgspec.Struct, frozen=True, rename={"content_type": "content-type"}):
    """How to upload (s/http-request): clients send exactly this content type (STO-8)."""

    url: str
    content_type: str


class Place(msgspec.Struct, frozen=True):
    """One object to upload; `presigned` is always said (T-4)."""

    object_id: str
    put_url: PutUrl
    presigned: bool


class Places(msgspec.Struct, frozen=True):
    """The answer of POST storage (s/flow-storage)."""

    media_objects: list[Place]


class Allocator:
    """Allocates objects in storage backends. `lifetime` is `min_object_timeout`, in seconds."""

    def __init__(
        self, store: Store, backends: Sequence[Objects], *, clock: Clock, new_id: IdSource, lifetime: int
    ) -> None:
        self._store = store
        self._backends = {objects.backend.id: objects for objects in backends}
        self._default = next((objects for objects in backends if objects.backend.default_storage), None)
        self._clock = clock
        self._new_id = new_id
        self._lifetime = lifetime * SECOND

    async def allocate(
        self, flow_id: FlowId, wanted: StoragePost, *, container: str, count: int, base_url: str
    ) -> Places:
        """Allocates the named objects, or `count` fresh ones; raises `InvalidInput` for ids that exist (STO-4), and
        `Unavailable` when nothing can be signed."""
        objects = self._backend(wanted)
        presigned = _presigned(objects, wanted)
        kind = next(
            (given for given in (wanted.content_type, wanted.content_type_alias) if given is not UNSET), container
        )
        names = [self._new_id() for _ in range(count)] if wanted.object_ids is UNSET else wanted.object_ids
        now = self._clock()

        def row(name: str) -> MediaObject:
            return MediaObject(
                id=name,
                state="allocated",
                created=now,
                allocated_for=flow_id,
                storage_id=objects.backend.id,
                storage_key=self._new_id(),
                content_type=kind,
            )

        # Before anything is stored: names that were taken, but never given to the client, would be lost to it.
        sign = objects.signer(base_url).put_url if presigned else lambda key, _: objects.plain_url(key)
        rows = await _step_by_step(names, row)
        await self._store.run(lambda tx: self._insert(tx, rows, now=now))

        def place(row: MediaObject) -> Place:
            return Place(row.id, PutUrl(sign(row.storage_key or "", kind), kind), presigned)

        return Places(await _step_by_step(rows, place))

    def _backend(self, wanted: StoragePost) -> Objects:
        if wanted.storage_id is UNSET:
            if self._default is None:
                raise InvalidInput("no backend is the default one: give a storage_id (STO-6)", field="$.storage_id")
            return self._default
        found = self._backends.get(wanted.storage_id)
        if found is None:
            raise InvalidInput(f"there is no storage backend {wanted.storage_id} (STO-6)", field="$.storage_id")
        return found

    def _insert(self, tx: Tx, rows: Sequence[MediaObject], *, now: int) -> None:
        existing = tx.get_many(OBJECTS, ((row.id,) for row in rows))
        if existing:
            named = ", ".join(repr(key[0]) for key in list(existing)[:10])
            raise InvalidInput(f"object_ids that already exist: {named} (STO-4)", field="$.object_ids")
        tx.insert(OBJECTS, rows)
        tx.insert(ALLOCATIONS, [Allocation(now + self._lifetime, row.id) for row in rows])


async def _step_by_step(things: Iterable[T], make: Callable[[T], R]) -> list[R]:
    """What `make` makes of each thing."""
    made, left = list[R](), iter(things)
    while some := list(islice(left, _STEP)):
        made += map(make, some)
        if len(some) == _STEP:
            await asyncio.sleep(0)
    return made


def _presigned(objects: Objects, wanted: StoragePost) -> bool:
    """Whether the URLs are to be presigned, as they are where there is a choice (STO-11); raises `InvalidInput`."""
    offered = objects.writing
    if wanted.presigned is UNSET:
        return offered.presigned
    if not (offered.presigned if wanted.presigned else offered.plain):
        kind = "presigned" if wanted.presigned else "plain"
        raise InvalidInput(
            f"backend {objects.backend.id} takes no uploads by {kind} URLs (STO-13)", field="$.presigned"
        )
    return wanted.presigned
