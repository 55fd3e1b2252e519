"""Routing on the raw path: `%2F` stays inside its segment, each parameter is decoded exactly once (GEN-6)."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, Generic, TypeAlias, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from tams_common.errors import InvalidInput, MethodNotAllowed, NotFound
from tams_common.http.message import DEFAULT_BODY_LIMIT, Request, Response
from tams_common.http.openapi import Operation
from tams_common.ids import is_uuid

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
T = TypeVar("T")
_HEX: Final = frozenset("0123456789abcdefABCDEF")


class Route(msgspec.Struct, frozen=True):
    """One line of a service's list of routes. A GET answers HEAD, too (HEAD-1). `body_limit` is in bytes.

    `operation` describes it for `/openapi.json`; internal routes have none.
    """

    method: str
    path: str
    handler: Handler
    body_limit: int = DEFAULT_BODY_LIMIT
    operation: Operation | None = None


class _Node(Generic[T]):
    __slots__ = ("literal", "methods", "names", "param")

    def __init__(self) -> None:
        self.literal: dict[str, _Node[T]] = {}
        self.param: _Node[T] | None = None
        self.methods: dict[str, T] = {}
        self.names: tuple[str, ...] = ()


class Router(Generic[T]):
    """Finds the target of a method and raw path among patterns such as `/flows/{flow_id}/segments`."""

    def __init__(self, entries: Iterable[tuple[str, str, T]]) -> None:
        self._root: _Node[T] = _Node()
        for method, pattern, target in entries:
            node, names = self._root, []
            for part in pattern.split("/")[1:]:
                if part.startswith("{"):
                    names.append(part[1:-1])
                    node.param = node.param or _Node()
                    node = node.param
                else:
                    node = node.literal.setdefault(part, _Node())
            node.names = tuple(names)
            node.methods[method] = target

    def match(self, method: str, path: str) -> tuple[T, Mapping[str, str]]:
        """The target and decoded parameters; raises `NotFound`, `MethodNotAllowed` or `InvalidInput` (bad encoding)."""
        parts = path.split("/")[1:]
        found = _straight(self._root, parts) or _descend(self._root, parts)
        if found is None:
            raise NotFound(f"there is no resource at {path}")
        node, values = found
        target = node.methods.get(method)
        if target is None and method == "HEAD":
            target = node.methods.get("GET")
        if target is None:
            allowed = sorted(set(node.methods) | ({"HEAD"} if "GET" in node.methods else set()) | {"OPTIONS"})
            raise MethodNotAllowed(
                f"{method} is not possible on {path}, only {', '.join(allowed)}", allowed=tuple(allowed)
            )
        if not values:
            return target, {}
        return target, {
            name: decode(value, f"path parameter {name}") for name, value in zip(node.names, values, strict=True)
        }


def _straight(node: _Node[T], parts: list[str]) -> tuple[_Node[T], tuple[str, ...]] | None:
    """What `_descend` finds without ever turning back, which is nearly always: cheaper, as it calls nothing."""
    values: tuple[str, ...] = ()
    for part in parts:
        following = node.literal.get(part)
        if following is None:
            following = node.param
            if following is None or not part:
                return None
            values = (*values, part)
        node = following
    return (node, values) if node.methods else None


def _descend(node: _Node[T], parts: list[str]) -> tuple[_Node[T], tuple[str, ...]] | None:
    if not parts:
        return (node, ()) if node.methods else None
    part, rest = parts[0], parts[1:]
    literal = node.literal.get(part)
    if literal is not None:
        found = _descend(literal, rest)
        if found is not None:
            return found
    if node.param is None or not part:
        return None
    found = _descend(node.param, rest)
    return None if found is None else (found[0], (part, *found[1]))


def path_uuid(request: Request, name: str) -> str:
    """The id in the path parameter `name`; raises `NotFound` for one that the API does not write so (GEN-4, SEG-3)."""
    text = request.params[name]
    if not is_uuid(text):
        raise NotFound(f"there is no resource {text!r}: that is not a UUID in lower case (GEN-4)")
    return text


def decode(text: str, where: str) -> str:
    """Percent-decodes `text` strictly; bad escapes and bytes that are not UTF-8 raise `InvalidInput` naming `where`."""
    if "%" not in text and text.isascii():
        return text
    position = text.find("%")
    while position >= 0:
        if len(text) < position + 3 or text[position + 1] not in _HEX or text[position + 2] not in _HEX:
            raise InvalidInput(f"{where} has a '%' that is not followed by two hexadecimal digits", field=where)
        position = text.find("%", position + 1)
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError:
        raise InvalidInput(f"{where} is not valid UTF-8 after percent-decoding", field=where) from None
