"""Bringing api key values under the newest encryption key, so that older keys can be retired (WHK-33)."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog
from msgspec.structs import replace

from tams_common.errors import Conflict, Unavailable
from tams_common.store import Query, Reader, Store, Tx
from tams_webhooks.secrets import Vault
from tams_webhooks.tables import WEBHOOKS

INTERVAL: Final = 3600.0
"""Seconds between looks: a replica that still has the old keys may have written one since."""
BATCH: Final = 100
_log = structlog.get_logger(__name__)


class Rekeying:
    """Encrypts anew what is not under the first key of `vault`; once or often, by one replica or more."""

    def __init__(self, store: Store, vault: Vault, *, interval: float = INTERVAL) -> None:
        self._store = store
        self._vault = vault
        self._interval = interval

    async def run(self) -> None:
        """Sweeps every `interval` seconds until cancelled."""
        while True:
            try:
                renewed = await self.sweep()
                if renewed:
                    _log.info("api key values encrypted under the first key", count=renewed)
            except (Unavailable, Conflict) as error:
                _log.warning("api key values stay under older keys for now", reason=error.detail)
            await asyncio.sleep(self._interval)

    async def sweep(self) -> int:
        """Goes through all webhooks; how many values it encrypted anew."""
        count, after = 0, ""
        while keys := await self._store.read(partial(_following, after=after)):
            count += await self._store.run(partial(self._renew, keys=keys))
            after = keys[-1][0]
        return count

    def _renew(self, tx: Tx, keys: Sequence[tuple[str]]) -> int:
        rows = tx.get_many(WEBHOOKS, keys).values()
        anew = [(row, secret) for row in rows if row.secret and (secret := self._vault.renewed(row.secret)) is not None]
        changed = [replace(row, secret=secret, version=row.version + 1) for row, secret in anew]
        tx.update(WEBHOOKS, changed, expect=[row.version for row, _ in anew])
        return len(changed)


def _following(reader: Reader, after: str) -> list[tuple[str]]:
    rows = reader.select(WEBHOOKS, ("id",), query=Query(after=(after,), limit=BATCH)).rows
    return [(str(webhook_id),) for (webhook_id,) in rows]
