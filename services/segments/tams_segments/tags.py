"""Filters on the tags of storage backends (STB-7, SEG-18)."""

from collections.abc import Mapping
from typing import Final

import msgspec

from tams_common.http.query import Params

Tags = Mapping[str, str | list[str]]


class TagQuery(msgspec.Struct, frozen=True):
    """For each tag: the values of which one must be there (T-56), and whether it must be there at all."""

    values: dict[str, frozenset[str]] = {}
    presence: dict[str, bool] = {}

    @classmethod
    def parse(cls, params: Params, prefix: str) -> "TagQuery":
        """Reads `{prefix}.{name}` and `{prefix}_exists.{name}`; raises `InvalidInput`."""
        if not params.prefixed(prefix):
            return _ANY
        values = {name: frozenset(params.labels(f"{prefix}.{name}") or ("",)) for name in params.prefixed(f"{prefix}.")}
        presence = {
            name: params.boolean(f"{prefix}_exists.{name}", False) for name in params.prefixed(f"{prefix}_exists.")
        }
        return cls(values, presence)

    def matches(self, tags: Tags) -> bool:
        """Whether `tags` meet every condition."""
        if any((name in tags) is not wanted for name, wanted in self.presence.items()):
            return False
        return all(not wanted.isdisjoint(_values(tags.get(name, ()))) for name, wanted in self.values.items())


_ANY: Final = TagQuery()


def _values(value: str | list[str] | tuple[()]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
