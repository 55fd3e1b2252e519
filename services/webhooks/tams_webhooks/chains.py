"""Events of one key (a flow or source) are delivered in their order: one chain, which ends with the first failure."""

from collections.abc import Mapping, Sequence

from tams_webhooks.attempts import Attempts, Dressed
from tams_webhooks.batch import Batch
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

    async def run(self, attempts: Attempts, *, replay_id: str = "") -> None:
        """Delivers the events, for a replay where one is named, until one fails or may not be sent."""
        while self._next < len(self._events):
            made = await attempts.make(self._events[self._next], tries=self._tries, replay_id=replay_id)
            if made is None:
                return
            self.attempts.append(made)
            if made.outcome == "retrying":
                appended = self._events[self._next].event.appended
                self._parked = ParkedRow(attempts.webhook_id, self.key, made.number, made.tries, made.due, appended)
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
            event = self._events[self._next].event
            return ParkedRow(webhook_id, self.key, event.number, self._tries, self._since, event.appended)
        if self.passed:
            return ParkedRow(webhook_id, self.key, self.reaches + 1, 0, self._since, self._since)
        return None


def chains_of(batch: Batch, events: Mapping[int, Dressed], *, parked: Mapping[str, ParkedRow], now: int) -> list[Chain]:
    """The chains of `batch`, of those of its events that are still kept; `parked` says how often their first ones have
    been tried."""
    chains: list[Chain] = []
    for key, rows in batch.chains.items():
        kept = [events[row.number] for row in rows if row.number in events]
        row = parked.get(key)
        tries = row.tries if row and kept and kept[0].event.number == row.number else 0
        chain = Chain(key, kept, reaches=batch.reaches(key), tries=tries, since=row.due if row else now)
        chain.passed = batch.reaches(key) < batch.cursor
        chains.append(chain)
    return chains
