"""Configuration of segments."""

from typing import Final

import msgspec

_MOST_COPIES: Final = 64
_TEN_YEARS: Final = 10 * 365 * 24
"""Hours."""


class SegmentsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Keys `TAMS_SEGMENTS_…`.

    collect_interval: seconds between looks for bytes and allocations that nobody needs any more.
    delete_budget: seconds that a DELETE works on before it is answered 202, and the rest goes on without it (DEL-1).
    register_page: segments of the flow that a registration reads at once, and so keeps in memory, where they surround
        its own.
    delete_batch: segments that one transaction of a deletion removes.
    delete_rest: how many times as long as such a transaction took the next one waits, 0.1 s at most, once the DELETE
        was answered.
    delete_interval: seconds between looks for deletions to go on with that nobody told of.
    delete_expiry: hours for which a deletion request is shown after its end (DEL-8).
    copy_parallel: copies of objects to other backends that are made at a time; each has two parts in memory, of 16 MiB
        or of a ten thousandth of the object.
    copy_allow: networks (CIDR) and host names from which objects may be copied although they are not public, with
        commas between.
    copy_interval: seconds between looks for copies that nobody told of.
    storage_limit: objects that one POST storage allocates when it does not say how many (STO-3).
    """

    collect_interval: float = 30.0
    register_page: int = 2048
    delete_budget: float = 5.0
    delete_batch: int = 200
    delete_rest: float = 4.0
    delete_interval: float = 1.0
    delete_expiry: float = 24.0
    copy_parallel: int = 4
    copy_allow: str = ""
    copy_interval: float = 5.0
    storage_limit: int = 10

    def __post_init__(self) -> None:
        if self.collect_interval <= 0:
            raise ValueError("collect_interval must be more than 0 seconds")
        if self.register_page < 1:
            raise ValueError("register_page must be 1 or more")
        if self.delete_budget < 0:
            raise ValueError("delete_budget must be 0 seconds or more")
        if self.delete_batch < 1:
            raise ValueError("delete_batch must be 1 or more")
        if self.delete_rest < 0:
            raise ValueError("delete_rest must be 0 or more")
        if self.delete_interval <= 0:
            raise ValueError("delete_interval must be more than 0 seconds")
        if not 0 < self.delete_expiry <= _TEN_YEARS:
            raise ValueError(f"delete_expiry must be more than 0 hours and at most {_TEN_YEARS}")
        if not 1 <= self.copy_parallel <= _MOST_COPIES:
            raise ValueError(f"copy_parallel must lie between 1 and {_MOST_COPIES}")
        if self.copy_interval <= 0:
            raise ValueError("copy_interval must be more than 0 seconds")
        if self.storage_limit < 1:
            raise ValueError("storage_limit must be 1 or more")
