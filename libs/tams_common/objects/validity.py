"""How long presigned URLs work: signing times are rounded down to a window, so that equal pages are equal bytes."""

from typing import Final

from tams_common.clock import Clock
from tams_common.timerange import NS

WINDOW: Final = 60
"""Seconds: URLs that are signed within it are equal, and can be cached."""
GRACE: Final = 30
"""Seconds that URLs work beyond what the service promises (SVC-10)."""


def window_start(clock: Clock) -> int:
    """The moment to sign for, in seconds since the epoch."""
    now = clock() // NS
    return now - now % WINDOW


def valid_for(lifetime: int) -> int:
    """Seconds from the start of the window for which a URL has to work, so that it works for `lifetime` from any moment
    within it."""
    return WINDOW + lifetime + GRACE
