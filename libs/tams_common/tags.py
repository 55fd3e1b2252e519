"""Tags as a row keeps them for filters: one text column of delimited, escaped tokens (architecture 3, TAG-2 to TAG-4).

A tag `name` with values a and b is kept as `|name|name=a|name=b|`: the bare name says that the tag is there.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from tams_common.store import AnyOf, Contains
from tams_common.store.where import Condition

Tags: TypeAlias = Mapping[str, str | Sequence[str]]

_ESCAPES: Final = {"\\": "\\\\", "|": "\\p", "\0": "\\0"}
_IN_VALUES: Final = str.maketrans(_ESCAPES)
_IN_NAMES: Final = str.maketrans(_ESCAPES | {"=": "\\e"})


class TagQuery(msgspec.Struct, frozen=True):
    """For each tag: the values of which one must be there (T-56), and whether it must be there at all."""

    values: dict[str, frozenset[str]] = {}
    presence: dict[str, bool] = {}

    def matches(self, tags: Tags) -> bool:
        """Whether `tags` meet every condition."""
        if any((name in tags) is not wanted for name, wanted in self.presence.items()):
            return False
        return all(not wanted.isdisjoint(_values_of(tags.get(name, ()))) for name, wanted in self.values.items())

    def conditions(self, column: str) -> tuple[Condition, ...]:
        """The same, asked of a text column that holds `tag_tokens`."""
        present = [
            Contains(column, f"|{name.translate(_IN_NAMES)}|", negate=not wanted)
            for name, wanted in self.presence.items()
        ]
        return (*(_one_of(column, name, values=values) for name, values in self.values.items()), *present)


def tag_tokens(tags: Tags) -> str:
    """What a row keeps of `tags`; empty for none."""
    tokens: dict[str, None] = {}
    for name, value in tags.items():
        escaped = name.translate(_IN_NAMES)
        tokens[escaped] = None
        tokens.update(dict.fromkeys(f"{escaped}={part.translate(_IN_VALUES)}" for part in _values_of(value)))
    return f"|{'|'.join(tokens)}|" if tokens else ""


def _one_of(column: str, name: str, *, values: Iterable[str]) -> Condition:
    escaped = name.translate(_IN_NAMES)
    parts = tuple(Contains(column, f"|{escaped}={value.translate(_IN_VALUES)}|") for value in sorted(values))
    return parts[0] if len(parts) == 1 else AnyOf(parts)


def _values_of(value: str | Sequence[str]) -> Sequence[str]:
    return (value,) if isinstance(value, str) else value
