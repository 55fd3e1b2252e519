"""The attempts of one lane: how many at once, when none may start, and what is noted of each."""

import asyncio
from typing import Final

from msgspec import Struct

from tams_common.clock import SECOND, Clock, later
from tams_webhooks.courier import Courier, Target
from tams_webhooks.outgoing.answers import Answer
from tams_webhooks.retry import Schedule, pause
from tams_webhooks.tables import AttemptRow, LogRow

GONE: Final = 410
"""With this status a receiver says that it wants no events any more."""


class Dressed(Struct, frozen=True):
    """An event as it is sent to `target`."""

    event: LogRow
    body: bytes
    target: Target


class Attempts:
    """Makes attempts for the webhook `webhook_id`, at most `at_once` at the same time.

    No attempt starts while `stopped`, after `until` (ns, the end of the lane's lease) or before `paused_until` (ns, as
    the receiver asked). `gone` tells that the receiver has answered 410. `last` is the moment of the latest attempt.
    """

    def __init__(self, webhook_id: str, courier: Courier, *, schedule: Schedule, clock: Clock, at_once: int) -> None:
        self.webhook_id = webhook_id
        self.target: Target | None = None
        self.stopped = False
        self.gone = False
        self.until = 0
        self.paused_until = 0
        self.last = 0
        self._courier = courier
        self._schedule = schedule
        self._clock = clock
        self._slots = asyncio.Semaphore(at_once)

    def may_start(self) -> bool:
        """Whether an attempt may begin now."""
        return not self.stopped and not self.gone and self.paused_until <= self._clock() < self.until

    async def make(self, dressed: Dressed, *, tries: int, replay_id: str = "") -> AttemptRow | None:
        """Sends an event of which `tries` attempts have failed; None when it may not be sent any more."""
        async with self._slots, self._courier.turns:
            if dressed.target is not self.target or not self.may_start():
                return None
            at = self.moment()
            answer = await self._courier.send(dressed.target, dressed.event.id, body=dressed.body)
        return self._noted(dressed.event, answer, at=at, tries=tries, replay_id=replay_id)

    def moment(self) -> int:
        """Now, yet later (ns) than any attempt before."""
        self.last = later(self._clock(), self.last)
        return self.last

    def _noted(self, event: LogRow, answer: Answer, *, at: int, tries: int, replay_id: str) -> AttemptRow:
        now = self._clock()
        if not answer.delivered:
            self.gone = self.gone or answer.status == GONE
            wish = pause(answer.status, answer.retry_after)
            self.paused_until = max(self.paused_until, now + wish * SECOND if wish else 0)
        due = None if answer.delivered else self._schedule.due(tries + 1, now=now, retry_after=answer.retry_after)
        return AttemptRow(
            webhook_id=self.webhook_id,
            at=at,
            number=event.number,
            event_id=event.id,
            event_type=event.type,
            key=event.key,
            tries=tries + 1,
            outcome="delivered" if answer.delivered else "failed" if due is None else "retrying",
            status=answer.status,
            latency=answer.latency,
            error=answer.error,
            due=due or 0,
            replay_id=replay_id,
        )
