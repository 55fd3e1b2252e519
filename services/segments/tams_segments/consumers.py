"""What segments hears of the other services."""

from typing import Final

from tams_common.events import FLOWS
from tams_common.inbox import Interest
from tams_segments import flow_index

FLOW_EVENTS: Final = Interest("tams.segments", (FLOWS,), flow_index.apply, latest_only=True, gather=0.05)
"""The tags of flows, for filters (OBJ-10)."""
