"""What webhooks hears of the other services: everything, into its log."""

from typing import Final

from tams_common.clock import Clock
from tams_common.events import FLOWS, SEGMENTS, SOURCES, Envelope
from tams_common.inbox import Interest
from tams_common.store import Tx
from tams_webhooks.log import append
from tams_webhooks.window import Window

GROUP: Final = "tams.webhooks"


def all_events(clock: Clock, window: Window) -> Interest:
    """Appends every event to the log, and tells `window`; what is no event of ours at all is poison."""

    def apply(tx: Tx, envelope: Envelope) -> None:
        envelope.event()
        append(tx, envelope, at=clock())

    return Interest(GROUP, (FLOWS, SOURCES, SEGMENTS), apply, applied=window.prompt)
