"""Events of one key (a flow or source) are delivered in their order: one chain, which ends with the first failure."""

from collections.abc import Sequence

from tams_webhooks.attempts import Attempts, Dressed
from tams_webhooks.tables import AttemptRow, ParkedRow


class Chain:
    """The next events of `key`, in order, as one task delivers them.

    `reaches` is the number up to which the log has no other events of the key for this webhook; `passed` tells that
    the lane has passed some beyond it. `tries` are the failed attempts of the first event, `since` (ns) is the moment
    at which the chain was made. `attempts` are those that nobody has written down yet.
    """

    def __init__(self, key: str, events: Sequence[Dressed], *, reaches: int, tries: int, since: int) -> None:
        self.key = key
        self.reaches = reaches
        self.passed = False
        self.attempts: list[AttemptRow] = []
        self._events = events
        self._tries = tries
        self._since = since
        self._next = 0
        self._parked: ParkedRow | None = None

    async def run(self, attempts: Attempts) -> None:
        """Delivers the events until one fails or may not be sent."""
        while self._next < len(self._events):
            made = await attempts.make(self._events[self._next], tries=self._tries)
            if made is None:
                return
            self.attempts.append(made)
            if made.outcome == "retrying":
                self._parked = ParkedRow(attempts.webhook_id, self.key, made.number, made.tries, made.due)
                return
            self._next += 1
            self._tries = 0
            if made.outcome == "failed":
                return

    def place(self, webhook_id: str) -> ParkedRow | None:
        """Where the key goes on if this chain gets no further; None when nothing of it waits."""
        if self._parked is not None:
            return self._parked
        if self._next < len(self._events):
            number = self._events[self._next].event.number
            return ParkedRow(webhook_id, self.key, number, self._tries, self._since)
        return ParkedRow(webhook_id, self.key, self.reaches + 1, 0, self._since) if self.passed else None
