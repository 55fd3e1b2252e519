"""What a body may have at a place, in words: for messages about a value that is none of those."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

from msgspec import inspect

_STEP: Final = re.compile(r"\.(\w+)|\[(?:\d+|\.\.\.)\]")
"""Of a path as msgspec writes it: to a member, or to an item of an array or of an object that is no Struct."""


def expected(kind: object, path: str) -> str:
    """`expected one of …` or `for example …` at `path` of bodies of `kind`; empty where neither is known."""
    places, tags = [_type(kind)], list[object]()
    for step in _STEP.finditer(path):
        structs = [place for place in _plain(places) if isinstance(place, inspect.StructType)]
        tags = [struct.tag for struct in structs if step[1] is not None and struct.tag_field == step[1]]
        places = [below for place in _plain(places) for below in _below(place, step[1])]
    literals = [place.values for place in _plain(places) if isinstance(place, inspect.LiteralType)]
    words = dict.fromkeys([*tags, *(word for values in literals for word in values)])
    if words:
        return f"expected one of {', '.join(map(str, words))}"
    schemas = [place.extra_json_schema or {} for place in places if isinstance(place, inspect.Metadata)]
    examples = [str(example) for schema in schemas for example in schema.get("examples", ())]
    return f"for example {examples[0]}" if examples else ""


@cache
def _type(kind: object) -> inspect.Type:
    return inspect.type_info(kind)


def _plain(places: Iterable[inspect.Type]) -> Iterator[inspect.Type]:
    """Every alternative by itself, without what describes it."""
    for place in places:
        if isinstance(place, inspect.UnionType):
            yield from _plain(place.types)
        elif isinstance(place, inspect.Metadata):
            yield from _plain([place.type])
        else:
            yield place


def _below(place: inspect.Type, member: str | None) -> Iterator[inspect.Type]:
    match place:
        case inspect.StructType(fields=fields):
            yield from (field.type for field in fields if field.encode_name == member)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            yield item
        case inspect.DictType(value_type=value):
            yield value
