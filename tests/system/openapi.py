"""Two OpenAPI documents laid side by side: what each says of an operation, with references resolved."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeAlias

Json: TypeAlias = Any
METHODS = ("get", "head", "put", "post", "delete")
DEPTH = 6
"""How deep schemas are looked into: beyond it they repeat themselves."""


class Document:
    """An OpenAPI document; `load` reads the files that its references name, relative to its folder."""

    def __init__(self, root: Json, load: Callable[[str], Json]) -> None:
        self._root = root
        self._load = load

    def operations(self) -> dict[tuple[str, str], Json]:
        """Every operation by method and path."""
        return {
            (method.upper(), path): item[method]
            for path, item in self._root["paths"].items()
            for method in METHODS
            if method in item
        }

    def parameters(self, operation: Json) -> set[str]:
        """The names of an operation's query parameters."""
        found = [self._resolved(parameter, PurePosixPath())[0] for parameter in operation.get("parameters", [])]
        return {str(parameter["name"]) for parameter in found if parameter["in"] == "query"}

    def request(self, operation: Json) -> dict[str, str]:
        """The members of the body that an operation takes, as `members` tells them."""
        return self._members_of(operation.get("requestBody", {}))

    def answer(self, operation: Json, status: str) -> dict[str, str]:
        """The members of the body of an answer."""
        return self._members_of(operation["responses"].get(status, {}))

    def _members_of(self, holder: Json) -> dict[str, str]:
        content = holder.get("content", {}).get("application/json", {})
        return dict(self._members(content.get("schema", {}), PurePosixPath(), path="$", depth=0))

    def _members(self, schema: Json, folder: PurePosixPath, *, path: str, depth: int) -> Iterator[tuple[str, str]]:
        """Each place in a body with the type that stands there; what is required ends in `!`."""
        schema, folder = self._resolved(schema, folder)
        if not isinstance(schema, Mapping) or depth > DEPTH:
            return
        for word in ("allOf", "oneOf", "anyOf"):
            for part in schema.get(word, ()):
                yield from self._members(part, folder, path=path, depth=depth)
        if "items" in schema:
            yield from self._members(schema["items"], folder, path=f"{path}[]", depth=depth + 1)
        required = schema.get("required", ())
        for name, member in schema.get("properties", {}).items():
            yield f"{path}.{name}", "required" if name in required else "optional"
            yield from self._members(member, folder, path=f"{path}.{name}", depth=depth + 1)

    def _resolved(self, schema: Json, folder: PurePosixPath) -> tuple[Json, PurePosixPath]:
        while isinstance(schema, Mapping) and "$ref" in schema:
            target = str(schema["$ref"])
            if target.startswith("#/"):
                schema = self._root
                for step in target[2:].split("/"):
                    schema = schema[step.replace("~1", "/").replace("~0", "~")]
            else:
                file = folder / target
                schema, folder = self._load(str(file)), file.parent
        return schema, folder
