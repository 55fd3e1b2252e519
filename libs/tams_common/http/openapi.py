"""OpenAPI 3.1 out of a service's routes: paths and methods as they are routed, schemas from the Structs in use."""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import msgspec

from tams_common.http.codec import Timestamp
from tams_common.http.problems import PROBLEM, Problem
from tams_common.ids import UUID_PATTERN
from tams_common.timerange import TimeRange

Json: TypeAlias = dict[str, Any]
"""A part of the document: JSON of OpenAPI's making, which has no types here."""

TIMERANGE: Final[Json] = {
    "type": "string",
    "description": "A TimeRange such as `[0:0_10:0)`; `_` is all of time.",
    "examples": ["[0:0_10:0)"],
}
TIMESTAMP: Final[Json] = {
    "type": "string",
    "description": "A Timestamp: seconds, a colon, nanoseconds.",
    "examples": ["0:0"],
}
UUID: Final[Json] = {"type": "string", "pattern": f"^{UUID_PATTERN}$"}
_SCHEMAS: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_FREE_TEXT: Final = frozenset({"object_id", "request_id", "name", "key", "file"})
"""Path parameters that are no UUIDs (GEN-5, GEN-6)."""
EXAMPLES: Final = {
    "flow_id": "10000000-0000-4000-8000-000000000001",
    "source_id": "20000000-0000-4000-8000-000000000001",
    "profile_id": "50000000-0000-4000-8000-000000000001",
    "object_id": "camera-1/0001",
    "name": "programme",
}
"""Path parameters by which the examples of bodies fit together, the README's where it has them."""


class AllOf(msgspec.Struct, frozen=True):
    """A body that is described by several types together."""

    kinds: tuple[Any, ...]


class OneOf(msgspec.Struct, frozen=True):
    """A body of one of several types."""

    kinds: tuple[Any, ...]


class ListOf(msgspec.Struct, frozen=True):
    """An array of what `kind` describes."""

    kind: Any


class Media(msgspec.Struct, frozen=True):
    """A body that is not JSON."""

    content_type: str


class Parameter(msgspec.Struct, frozen=True):
    """A query parameter; `schema` is JSON Schema. A name such as `tag.{name}` stands for many."""

    name: str
    description: str
    schema: Json


class Answer(msgspec.Struct, frozen=True):
    """What a status means; `body` is a type, a combination of types, or None. `headers` are those worth a mention."""

    description: str
    body: Any = None
    headers: tuple[str, ...] = ()


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What a route does. `answers` are its successes, `refusals` the statuses of its problems.

    `body` is what it takes: a type or combination, None for nothing. `example` is such a body, which a store takes as
    it stands: forms begin with it. Without one they make one up from the types.
    """

    summary: str
    answers: Mapping[int, Answer]
    parameters: tuple[Parameter, ...] = ()
    body: Any = None
    example: Any = None
    body_required: bool = True
    refusals: tuple[int, ...] = ()
    deprecated: bool = False


class Described(msgspec.Struct, frozen=True):
    """A route's method and path, and what it does."""

    method: str
    path: str
    operation: Operation


def paths(routes: Iterable[Described]) -> Json:
    """The parts `paths` and `components` of a document that describes `routes`; a GET is also a HEAD (HEAD-1)."""
    listed = list(routes)
    schemas = _Schemas([kind for route in listed for kind in _kinds(route.operation)])
    found: Json = {}
    for route in listed:
        item = found.setdefault(public_path(route.path), _shared(route.path))
        item[route.method.lower()] = _operation(route, schemas)
        if route.method == "GET":
            item["head"] = _operation(Described("HEAD", route.path, route.operation), schemas)
    return {"paths": found, "components": {"schemas": schemas.components}}


def public_path(path: str) -> str:
    """The path as the specification writes it: `{flow_id}` is `{flowId}` there."""
    return _PARAMETER.sub(lambda found: f"{{{_camel(found[1])}}}", path)


class _Schemas:
    """JSON Schemas of all types that a document needs, made together so that they refer to each other by name."""

    def __init__(self, kinds: Sequence[Any]) -> None:
        plain = list(dict.fromkeys(kinds))
        described, components = msgspec.json.schema_components(plain, schema_hook=_schema_of, ref_template=_SCHEMAS)
        self.components: Json = _portable(components)
        self._by_kind: dict[Any, Json] = dict(zip(plain, map(_portable, described), strict=True))

    def of(self, kind: Any) -> Json:  # noqa: ANN401 — any type that msgspec knows
        """The schema of a type or a combination of types."""
        match kind:
            case AllOf(kinds):
                return {"allOf": [self.of(part) for part in kinds]}
            case OneOf(kinds):
                return {"anyOf": [self.of(part) for part in kinds]}
            case ListOf(part):
                return {"type": "array", "items": self.of(part)}
        return self._by_kind[kind]


def _portable(schema: Any) -> Any:  # noqa: ANN401 — JSON of any kind
    """The schema with patterns as ECMA writes them, and descriptions in one line."""
    if isinstance(schema, list):
        return [_portable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    portable = {name: _portable(part) for name, part in schema.items()}
    if isinstance(pattern := portable.get("pattern"), str):
        portable["pattern"] = pattern.replace(r"\A", "^").replace(r"\Z", "$")
    if isinstance(description := portable.get("description"), str):
        portable["description"] = " ".join(description.split())
    return portable


def _kinds(operation: Operation) -> list[Any]:
    bodies = [operation.body, *(answer.body for answer in operation.answers.values()), Problem]
    return [kind for body in bodies for kind in _plain(body)]


def _plain(body: Any) -> list[Any]:  # noqa: ANN401
    match body:
        case None | Media():
            return []
        case AllOf(kinds) | OneOf(kinds):
            return [kind for part in kinds for kind in _plain(part)]
        case ListOf(part):
            return _plain(part)
    return [body]


def _operation(route: Described, schemas: _Schemas) -> Json:
    operation, head = route.operation, route.method == "HEAD"
    described: Json = {"operationId": f"{route.method}_{_identifier(route.path)}", "summary": operation.summary}
    if operation.deprecated:
        described["deprecated"] = True
    if operation.parameters:
        described["parameters"] = [
            {"name": known.name, "in": "query", "description": known.description, "schema": known.schema}
            for known in operation.parameters
        ]
    if operation.body is not None:
        described["requestBody"] = {
            "required": operation.body_required,
            "content": _content(operation.body, schemas, example=operation.example),
        }
    answers = {str(status): _answer(answer, schemas, head=head) for status, answer in operation.answers.items()}
    refusals = {str(status): _refusal(status, schemas, head=head) for status in operation.refusals}
    described["responses"] = answers | refusals
    return described


def _answer(answer: Answer, schemas: _Schemas, *, head: bool) -> Json:
    described: Json = {"description": answer.description}
    if answer.headers:
        described["headers"] = {name: {"schema": {"type": "string"}} for name in answer.headers}
    if answer.body is not None and not head:
        described["content"] = _content(answer.body, schemas)
    return described


def _refusal(status: int, schemas: _Schemas, *, head: bool) -> Json:
    described: Json = {"description": HTTPStatus(status).phrase}
    if not head:
        described["content"] = {PROBLEM: {"schema": schemas.of(Problem)}}
    return described


def _content(body: Any, schemas: _Schemas, *, example: Any = None) -> Json:  # noqa: ANN401
    if isinstance(body, Media):
        return {body.content_type: {"schema": {}}}
    shown = {} if example is None else {"example": example}
    return {"application/json": {"schema": schemas.of(body), **shown}}


def _shared(path: str) -> Json:
    """What all methods of a path have in common: its parameters."""
    names = _PARAMETER.findall(path)
    if not names:
        return {}
    return {
        "parameters": [
            {
                "name": _camel(name),
                "in": "path",
                "required": True,
                "schema": {"type": "string"} if name in _FREE_TEXT else UUID,
                **({"example": EXAMPLES[name]} if name in EXAMPLES else {}),
            }
            for name in names
        ]
    }


def _camel(name: str) -> str:
    if name == "request_id":
        return "request-id"
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _identifier(path: str) -> str:
    return "-".join(_camel(part.strip("{}")) for part in path.strip("/").split("/")) or "root"


def _schema_of(kind: type) -> Json:
    if kind is TimeRange:
        return TIMERANGE
    if kind is Timestamp:
        return TIMESTAMP
    raise NotImplementedError(f"no JSON Schema is known for {kind.__name__}")
