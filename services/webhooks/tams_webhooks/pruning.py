"""Forgetting: events and attempts that have been kept for long enough."""

import asyncio
from functools import partial
from typing import Final

import structlog

from tams_common.clock import SECOND, Clock
from tams_common.errors import Conflict, Unavailable
from tams_common.store import Query, Store, Tx, eq, ge
from tams_common.store.column import INT_MAX
from tams_webhooks.config import WebhooksConfig
from tams_webhooks.log import head_of, write_head
from tams_webhooks.tables import ATTEMPTS, EVENT_LOG, LANES, THE_LOG

BATCH: Final = 500
"""Rows removed in one transaction: appenders wait for no longer than that."""
INTERVAL: Final = 60.0
_HOUR: Final = 3600 * SECOND
_log = structlog.get_logger(__name__)


class Pruning:
    """Removes events older than `log_hours` and attempts older than `attempt_hours` of `config`, and all attempts of
    webhooks that are gone. Every step can be repeated, so several replicas do no harm. `interval` is in seconds."""

    def __init__(
        self, store: Store, config: WebhooksConfig, *, clock: Clock, interval: float = INTERVAL, batch: int = BATCH
    ) -> None:
        self._store = store
        self._log_age = config.log_hours * _HOUR
        self._attempt_age = config.attempt_hours * _HOUR
        self._clock = clock
        self._interval = interval
        self._batch = batch

    async def run(self) -> None:
        """Sweeps every `interval` seconds until cancelled."""
        while True:
            try:
                await self.sweep()
            except (Unavailable, Conflict) as error:
                _log.warning("pruning waits", reason=error.detail)
            await asyncio.sleep(self._interval)

    async def sweep(self) -> None:
        """Removes everything that is too old now."""
        while await self._store.run(self._prune_log) == self._batch:
            pass
        webhook_id = await self._webhook_after("")
        while webhook_id is not None:
            while await self._store.run(partial(self._prune_attempts, webhook_id=webhook_id)) == self._batch:
                pass
            webhook_id = await self._webhook_after(webhook_id)

    async def _webhook_after(self, webhook_id: str) -> str | None:
        """The first webhook after `webhook_id` that has attempts."""
        beyond = Query(after=(webhook_id, INT_MAX, INT_MAX), limit=1)
        page = await self._store.read(lambda reader: reader.select(ATTEMPTS, ("webhook_id",), query=beyond))
        return str(page.rows[0][0]) if page.rows else None

    def _prune_log(self, tx: Tx) -> int:
        """Removes the oldest events, in order; returns how many."""
        head = head_of(tx)
        expired = self._clock() - self._log_age
        query = Query(where=(eq("log", THE_LOG), ge("number", head.oldest)), limit=self._batch, width=self._batch)
        numbers: list[int] = []
        for number, appended in tx.select(EVENT_LOG, ("number", "appended"), query=query).rows:
            if int(appended or 0) >= expired:
                break
            numbers.append(int(number or 0))
        if numbers:
            tx.delete(EVENT_LOG, [(THE_LOG, number) for number in numbers])
            write_head(tx, head, following=head.next, oldest=numbers[-1] + 1)
        return len(numbers)

    def _prune_attempts(self, tx: Tx, webhook_id: str) -> int:
        """Removes a webhook's oldest attempts; returns how many."""
        expired = self._clock() - self._attempt_age if tx.get(LANES, (webhook_id,)) else INT_MAX
        query = Query(where=(eq("webhook_id", webhook_id),), limit=self._batch)
        rows = tx.select(ATTEMPTS, ("at", "number"), query=query).rows
        keys = [(webhook_id, int(at or 0), int(number or 0)) for at, number in rows if int(at or 0) < expired]
        tx.delete(ATTEMPTS, keys)
        return len(keys)
