"""The event log: every event once, numbered in the order of the commits that append them (ADR 0005)."""

from typing import Final

from tams_common.events import Envelope
from tams_common.store import Reader, Tx
from tams_webhooks.tables import EVENT_LOG, LOG_HEADS, THE_LOG, LogHead, LogRow

FIRST: Final = 1
"""The number of the first event."""


def head_of(reader: Reader) -> LogHead:
    """The counter of the log; of one that has never been written to, at version 0."""
    return reader.get(LOG_HEADS, (THE_LOG,)) or LogHead(THE_LOG, FIRST, FIRST, 0)


def newest(reader: Reader) -> int:
    """The number of the newest event, 0 for none."""
    return head_of(reader).next - 1


def append(tx: Tx, envelope: Envelope, *, at: int) -> int:
    """Puts an event at the end of the log; returns its number. `at` (ns) is the moment from which its age counts."""
    head = head_of(tx)
    tx.insert(EVENT_LOG, [_row_of(envelope, number=head.next, at=at)])
    write_head(tx, head, following=head.next + 1, oldest=head.oldest)
    return head.next


def write_head(tx: Tx, head: LogHead, *, following: int, oldest: int) -> None:
    """Moves the counter on from `head`, which `tx` has read."""
    moved = LogHead(THE_LOG, following, oldest, head.version + 1)
    if head.version == 0:
        tx.insert(LOG_HEADS, [moved])
    else:
        tx.update(LOG_HEADS, [moved], expect=[head.version])


def _row_of(envelope: Envelope, *, number: int, at: int) -> LogRow:
    return LogRow(
        log=THE_LOG,
        number=number,
        id=envelope.id,
        at=envelope.at,
        appended=at,
        type=envelope.type,
        key=envelope.key,
        flow_id=envelope.flow_id,
        source_id=envelope.source_id,
        flow_collected_by=",".join(envelope.flow_collected_by),
        source_collected_by=",".join(envelope.source_collected_by),
        size=len(envelope.value),
        value=envelope.value,
    )
