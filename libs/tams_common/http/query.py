"""Query parameters, read strictly: every error names its parameter and what was expected (GEN-7 to GEN-9)."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar
from urllib.parse import quote

from tams_common.errors import InvalidInput
from tams_common.http.routing import decode
from tams_common.ids import is_uuid
from tams_common.timerange import TimeFormatError, TimeRange

D = TypeVar("D")

_LABELS: Final = re.compile(r"([^,]+(,[^,]+)*)?")
_INTEGER: Final = re.compile(r"-?[0-9]{1,1000}")
_INT64_MAX: Final = 2**63 - 1
FOLLOWED: Final = "~"
"""Ends the `page` of a `Link` in which lists of tags are sealed: a header takes no commas, not even between values."""
_has_comma: Final = re.compile(r",|%2[Cc]").search
_is_tag_list: Final = re.compile(r"(flow_|storage_backend_)?tag\.").match


def sealed(parts: Sequence[str]) -> tuple[Sequence[str], str]:
    """The parts of a raw query as a `Link` has them, and what its `page` ends with: lists of tags lose their commas,
    but not the knowledge of which of them were encoded (TAG-6)."""
    if not any(_has_comma(part.partition("=")[2]) and _is_tag_list(part) for part in parts):
        return parts, ""
    return [_sealed(part) if _is_tag_list(part) else part for part in parts], FOLLOWED


def _sealed(part: str) -> str:
    name, equals, value = part.partition("=")
    return f"{name}{equals}{quote(value, safe='')}"


def _unsealed(part: str) -> str:
    name, equals, value = part.partition("=")
    if name == "page":
        return part.removesuffix(FOLLOWED)
    return f"{name}{equals}{decode(value, f'query parameter {name}')}" if _is_tag_list(name) else part


class Params:
    """The query of a request: decoded `pairs` of name and value, and the same `raw` as they came.

    Unknown parameters are ignored (GEN-9), a known one may be given once.
    Every accessor returns None (or its default) for an absent parameter and raises `InvalidInput` for a bad one.
    """

    __slots__ = ("_repeated", "_values", "pairs", "raw")

    def __init__(self, pairs: tuple[tuple[str, str], ...], raw: tuple[str, ...]) -> None:
        self.pairs = pairs
        self.raw = raw
        self._values = dict(pairs)
        self._repeated = len(self._values) != len(pairs)

    @classmethod
    def parse(cls, raw: str) -> "Params":
        """Reads a raw query; `+` is a space, as HTML forms and most clients write it."""
        if not raw:
            return _EMPTY
        parts = tuple([part for part in raw.split("&") if part])
        if FOLLOWED in raw and any(part.startswith("page=") and part.endswith(FOLLOWED) for part in parts):
            parts = tuple([_unsealed(part) for part in parts])
        pairs = []
        for part in parts:
            name, _, value = part.partition("=")
            if "%" in part or "+" in part or not part.isascii():
                name = decode(name.replace("+", " "), "query parameter name")
                value = decode(value.replace("+", " "), f"query parameter {name}")
            pairs.append((name, value))
        return cls(tuple(pairs), parts)

    def text(self, name: str) -> str | None:
        """The value as it is."""
        value = self._values.get(name)
        if value is not None and self._repeated and sum(pair[0] == name for pair in self.pairs) > 1:
            raise _expected(name, "only one value", found="several")
        return value

    def present(self, name: str) -> bool:
        """Whether the parameter was given, with whatever value."""
        return name in self._values

    def prefixed(self, prefix: str) -> dict[str, str]:
        """The parameters whose names begin with `prefix`, by the rest of their names: `tag.{name}`."""
        return {name[len(prefix) :]: self.text(name) or "" for name in self._values if name.startswith(prefix)}

    def boolean(self, name: str, default: D) -> bool | D:
        """`true` or `false` (GEN-7)."""
        value = self.text(name)
        if value is None:
            return default
        if value not in ("true", "false"):
            raise _expected(name, "true or false", found=value)
        return value == "true"

    def integer(self, name: str) -> int | None:
        """A whole number. One beyond 64 bits becomes the last that they hold: a huge `limit` is no error (PAG-3)."""
        value = self.text(name)
        if value is None:
            return None
        if not _INTEGER.fullmatch(value):
            raise _expected(name, "a whole number", found=value)
        return max(-_INT64_MAX, min(int(value), _INT64_MAX))

    def timerange(self, name: str) -> TimeRange | None:
        """A timerange in any of its forms; the empty text is the empty range (TIME-6)."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return TimeRange.parse(value)
        except TimeFormatError as error:
            raise InvalidInput(f"query parameter {name}: {error}", field=name) from None

    def choice(self, name: str, allowed: Iterable[str]) -> str | None:
        """One of the `allowed` words."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise _expected(name, f"one of {', '.join(allowed)}", found=value)
        return value

    def uuid(self, name: str) -> str | None:
        """A UUID as the API writes them (GEN-4)."""
        value = self.text(name)
        if value is not None and not is_uuid(value):
            raise _expected(name, "a UUID in lower case", found=value)
        return value

    def uuid_list(self, name: str) -> tuple[str, ...] | None:
        """UUIDs with commas between them; the empty text has none."""
        value = self.text(name)
        if value is None:
            return None
        ids = tuple(value.split(",")) if value else ()
        if not all(map(is_uuid, ids)):
            raise _expected(name, "UUIDs in lower case with commas between them", found=value)
        return ids

    def labels(self, name: str) -> tuple[str, ...] | None:
        """Labels with commas between them; the empty text has none (SEG-12, SEG-13)."""
        value = self.text(name)
        if value is None:
            return None
        if not _LABELS.fullmatch(value):
            raise _expected(name, "labels with single commas between them", found=value)
        return tuple(value.split(",")) if value else ()


_EMPTY: Final = Params((), ())


def _expected(name: str, expected: str, *, found: str) -> InvalidInput:
    excerpt = found if len(found) <= 64 else f"{found[:64]}…"
    return InvalidInput(f"query parameter {name}: expected {expected}, found {excerpt!r}", field=name)
