"""What catalog hears of the other services."""

from typing import Final

from tams_catalog import extents
from tams_common.events import SEGMENTS
from tams_common.inbox import Interest

SEGMENT_EVENTS: Final = Interest("tams.catalog", (SEGMENTS,), extents.apply, latest_only=True, gather=0.05)
