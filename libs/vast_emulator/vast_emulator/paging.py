"""Paged and filtered lists: what the listing headers ask for, and the headers that say where to go on."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from vast_emulator.message import Call
from vast_emulator.refusals import refusal

T = TypeVar("T")

_PAGE = 1_000


def page(call: Call, items: Sequence[T], *, name: Callable[[T], str]) -> tuple[Sequence[T], dict[str, str]]:
    """The asked-for part of a list and its headers; the key of a next page is a place in the filtered list."""
    exact, prefix = call.headers.get("tabular-name-exact-match"), call.headers.get("tabular-name-prefix", "")
    wanted = items
    if exact is not None:
        wanted = [item for item in items if name(item) == exact]
    elif prefix:
        wanted = [item for item in items if name(item).startswith(prefix)]
    start, size = call.number("tabular-next-key", 0), call.number("tabular-max-keys", _PAGE)
    if start < 0 or size < 1:
        raise refusal(400, "InvalidArgument", message="tabular-next-key or tabular-max-keys is out of range")
    found = [] if call.flag("tabular-list-count-only") else wanted[start : start + size]
    headers = {
        "tabular-next-key": str(start + len(found)),
        "tabular-is-truncated": "true" if found and start + size < len(wanted) else "false",
        "tabular-list-count": str(len(wanted)),
    }
    return found, headers
