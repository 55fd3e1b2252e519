"""What a replica knows of a lane that it holds, and what of that stands only in memory."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from msgspec import Struct

from tams_webhooks.chains import Chain
from tams_webhooks.replaying import Replaying
from tams_webhooks.retry import Health
from tams_webhooks.settling import Step
from tams_webhooks.tables import AttemptRow, LaneRow, ParkedRow

UNKNOWN: Final = LaneRow(webhook_id="", cursor=0, owner="", until=0, version=0)
"""The row of a lane that has not been read yet."""


class Entry(Struct, frozen=True):
    """A step on its way into the tables, and how many attempts of each chain are in it."""

    step: Step
    counts: Sequence[tuple[Chain, int]]


class Books:
    """The lane's `row` and its `parked` flows as they are stored; `cursor` as it is by now; `notes` (attempts with
    outcome `skipped`) that are still to be written. `gap` is for `Health.after`."""

    def __init__(self, *, gap: int) -> None:
        self.row = UNKNOWN
        self.cursor = 0
        self.parked: dict[str, ParkedRow] = {}
        self.notes: list[AttemptRow] = []
        self._gap = gap

    def adopt(self, row: LaneRow, parked: dict[str, ParkedRow]) -> None:
        """Takes over what is stored; the cursor in memory may be further on."""
        self.row = row
        self.parked = parked
        self.cursor = max(self.cursor, row.cursor)

    def advance(self, row: LaneRow) -> bool:
        """Takes over a later row; whether it is the next one, else somebody else wrote in between."""
        is_next = row.version <= self.row.version + 1
        if row.version > self.row.version:
            self.row = row
        return is_next

    def entry(self, chains: Collection[Chain], replaying: Replaying, *, until: int) -> Entry:
        """What is to be written now."""
        places = {chain.key: chain.place(self.row.webhook_id) for chain in chains}
        changed = {key: place for key, place in places.items() if place != self.parked.get(key)}
        made = [attempt for chain in chains for attempt in chain.attempts]
        if replaying.news is not None:
            made += replaying.news.attempts
        made.sort(key=lambda attempt: attempt.at)
        waiting = self.parked | changed
        step = Step(
            cursor=self.cursor,
            until=until,
            health=self._health(made),
            count=sum(place is not None for place in waiting.values()),
            parked=changed,
            known=self.parked.keys(),
            attempts=[*made, *self.notes],
            replay=replaying.news,
        )
        return Entry(step, [(chain, len(chain.attempts)) for chain in chains])

    def wrote(self, entry: Entry) -> None:
        """`entry` is stored."""
        for key, place in entry.step.parked.items():
            if place is None:
                self.parked.pop(key, None)
            else:
                self.parked[key] = place
        for chain, count in entry.counts:
            del chain.attempts[:count]
        self.notes = []

    def _health(self, made: Iterable[AttemptRow]) -> Health:
        health = Health(self.row.failing_since, self.row.attempted_at)
        for attempt in made:
            health = health.after(attempt.at, success=attempt.outcome == "delivered", gap=self._gap)
        return health
