"""What webhooks keeps: the event log, webhooks and their lanes, parked flows, attempts and replays (ADR 0005).

Times are in ns since the Unix epoch. A `number` is an event's place in the log.
"""

from typing import Final, Literal, TypeAlias

from msgspec import Struct

from tams_common.ids import EventId, FlowId, SourceId
from tams_common.inbox import INBOX, POSITIONS
from tams_common.leases import LEASES
from tams_common.store import Guard, Projection, Small, Table, Windowed
from tams_common.store.table import AnyTable

Status: TypeAlias = Literal["created", "started", "disabled", "error"]
Outcome: TypeAlias = Literal["delivered", "retrying", "failed", "skipped"]
ReplayKind: TypeAlias = Literal["range", "failed"]

THE_LOG: Final = "events"
"""There is one log; its name is the column that windows over the numbers hold fixed."""


class LogHead(Struct, frozen=True):
    """The counter of the log: `next` is the number of the next event, `oldest` that of the oldest one kept.

    Whoever appends writes this row in the same transaction, so that the order of commits is the order of numbers.
    """

    log: str
    next: int
    oldest: int
    version: int


class LogRow(Struct, frozen=True):
    """An event as it arrived, once. `key` is the id of the flow or source whose events stay in order.

    Collecting ids, as they were at the time of the event, are separated by commas; `size` is that of `value` in bytes.
    """

    log: str
    number: int
    id: EventId
    at: int
    appended: int
    type: str
    key: str
    flow_id: FlowId | None
    source_id: SourceId | None
    flow_collected_by: str
    source_collected_by: str
    size: int
    value: bytes


class WebhookRow(Struct, frozen=True, kw_only=True):
    """A webhook. `body` is its JSON as GET shows it but for `status` and `error`; `error` is that JSON, empty for none.

    `secret` is the encrypted api key value, empty for none. `base_url` is the address of the store under which it was
    registered, for URLs in events where no public address is configured. `tags` are `name=value` tokens for filters.
    """

    id: str
    url: str
    status: Status
    created: int
    created_by: str
    version: int
    base_url: str
    tags: str
    body: bytes
    secret: bytes = b""
    error: bytes = b""


class LaneRow(Struct, frozen=True, kw_only=True):
    """How far deliveries to a webhook are, and which replica makes them until when; written with each step of it.

    All events up to `cursor` are dealt with: delivered, not asked for, or waiting behind a parked one. `parked` counts
    parked flows. `failing_since` is the moment of the first failed attempt since the last success, 0 for none.
    `attempted_at` is the moment of the latest attempt.
    """

    webhook_id: str
    cursor: int
    owner: str
    until: int
    version: int
    parked: int = 0
    failing_since: int = 0
    attempted_at: int = 0


class ParkedRow(Struct, frozen=True):
    """A flow (or source) whose event `number` could not be delivered yet: all later ones of its `key` wait behind it.

    `tries` counts failed attempts of that event, 0 for one that only waits its turn; the next is due at `due`.
    `appended` is when the event arrived, or began to wait where only its place is known; 0 in rows of old.
    """

    webhook_id: str
    key: str
    number: int
    tries: int
    due: int
    appended: int = 0


class AttemptRow(Struct, frozen=True, kw_only=True):
    """One attempt to deliver an event, or with outcome `skipped` a note that events could not be delivered any more.

    `status` is that of the answer, None without one; `due` is when the next try is to be made, 0 for none.
    """

    webhook_id: str
    at: int
    number: int
    event_id: str
    event_type: str
    key: str
    tries: int
    outcome: Outcome
    status: int | None
    latency: int
    error: str
    due: int
    replay_id: str = ""


class ReplayRow(Struct, frozen=True, kw_only=True):
    """Events that are delivered once more: those with numbers from `cursor` to before `end`, or of kind `failed` those
    among them whose last attempt, made from `since` to before `until`, has failed.

    `parked` counts flows that wait behind an event, `due` and `tries` are those of the one that is tried next.
    `sent` and `failed` count events that are done with.
    """

    webhook_id: str
    created: int
    id: str
    kind: ReplayKind
    cursor: int
    end: int
    tries: int = 0
    due: int = 0
    sent: int = 0
    failed: int = 0
    since: int = 0
    until: int = 0
    parked: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left to be sent."""
        return self.cursor >= self.end and not self.parked


class ReplayParkedRow(ParkedRow, frozen=True, kw_only=True):
    """A flow (or source) of which later events of the replay `replay_id` wait behind event `number`."""

    replay_id: str


LOG_HEADS: Final = Table("log_heads", LogHead, key=("log",))
EVENT_LOG: Final = Table(
    "event_log",
    LogRow,
    key=("log", "number"),
    paging=Windowed(),
    guarded_by=Guard("log_heads", ("log",)),
    projections=(Projection("by_key", ("key", "number")), Projection("by_id", ("id", "number"))),
)
WEBHOOKS: Final = Table("webhooks", WebhookRow, key=("id",), paging=Small())
LANES: Final = Table("lanes", LaneRow, key=("webhook_id",), paging=Small())
PARKED: Final = Table(
    "parked",
    ParkedRow,
    key=("webhook_id", "key"),
    paging=Small(),
    guarded_by=Guard("lanes", ("webhook_id",)),
    version=2,
)
ATTEMPTS: Final = Table(
    "attempts",
    AttemptRow,
    key=("webhook_id", "at", "number"),
    sort=("webhook_id", "at"),
    paging=Windowed(),
    guarded_by=Guard("lanes", ("webhook_id",)),
)
REPLAYS: Final = Table(
    "replays",
    ReplayRow,
    key=("webhook_id", "created", "id"),
    paging=Small(),
    guarded_by=Guard("lanes", ("webhook_id",)),
    version=2,
)
REPLAY_PARKED: Final = Table(
    "replay_parked",
    ReplayParkedRow,
    key=("webhook_id", "replay_id", "key"),
    paging=Small(),
    guarded_by=Guard("lanes", ("webhook_id",)),
)

TABLES: Final[tuple[AnyTable, ...]] = (
    LOG_HEADS,
    EVENT_LOG,
    WEBHOOKS,
    LANES,
    PARKED,
    ATTEMPTS,
    REPLAYS,
    REPLAY_PARKED,
    LEASES,
    POSITIONS,
    INBOX,
)
"""Everything webhooks keeps."""
