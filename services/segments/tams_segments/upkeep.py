"""Looks after the backends: leaves the store's mark in them, and clears away uploads that were cut off."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from tams_common.errors import Conflict, Unavailable
from tams_common.ids import IdSource
from tams_common.objects import Lists, Objects, ServesBytes
from tams_common.objects.checking import whose
from tams_common.objects.port import Owner
from tams_common.store import Store
from tams_segments.identity import settle_id

_INTERVAL: Final = 3600.0
_RETRY: Final = 60.0
_log = structlog.get_logger(__name__)


class Upkeep:
    """Goes round the backends at the start and every hour; all replicas may do so."""

    def __init__(self, store: Store, backends: Sequence[Objects], *, new_id: IdSource) -> None:
        self._store = store
        self._backends = backends
        self._new_id = new_id

    async def run(self) -> None:
        """Goes round until cancelled, after failures a minute later."""
        while True:
            wait = _INTERVAL if await self.look() else _RETRY
            await asyncio.sleep(wait)

    async def look(self) -> bool:
        """Goes round once; whether everything could be done."""
        try:
            store = await self._store.run(lambda tx: settle_id(tx, self._new_id))
        except (Unavailable, Conflict) as error:
            _log.warning("backends are not looked after", reason=error.detail)
            return False
        done = [await self._look_after(objects, Owner(store, objects.backend.id)) for objects in self._backends]
        return all(done)

    async def _look_after(self, objects: Objects, ours: Owner) -> bool:
        try:
            if isinstance(objects, Lists):
                found = await objects.mark(ours)
                if found != ours:
                    # Keys never meet, so this store works; only its repair must not take the other's bytes for orphans.
                    _log.warning("storage bears another mark", storage_id=ours.backend, mark_of=whose(found, ours))
            if isinstance(objects, ServesBytes):
                await objects.tidy()
        except Unavailable as error:
            _log.warning("a backend is not looked after", storage_id=ours.backend, reason=error.detail)
            return False
        return True
