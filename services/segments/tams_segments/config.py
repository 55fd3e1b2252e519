"""Configuration of segments."""

import msgspec


class SegmentsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Keys `TAMS_SEGMENTS_…`.

    collect_interval: seconds between looks for bytes and allocations that nobody needs any more.
    storage_limit: objects that one POST storage allocates when it does not say how many (STO-3).
    """

    collect_interval: float = 30.0
    storage_limit: int = 10

    def __post_init__(self) -> None:
        if self.collect_interval <= 0:
            raise ValueError("collect_interval must be more than 0 seconds")
        if self.storage_limit < 1:
            raise ValueError("storage_limit must be 1 or more")
