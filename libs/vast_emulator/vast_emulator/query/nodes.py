"""Positions of columns in a query: every node of every column, depth first, parents before children."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Node:
    """One node: the column's field, the way from there (child numbers), and whether it is a leaf."""

    root: pa.Field
    way: tuple[int, ...]
    leaf: bool

    @property
    def column(self) -> str:
        """The name of the column it belongs to."""
        return str(self.root.name)


def nodes(fields: Sequence[pa.Field]) -> tuple[Node, ...]:
    """All nodes of the fields; a node's place in the result is its position on the wire."""
    return tuple(node for field in fields for node in _below(field, field.type, way=()))


def children(kind: pa.DataType) -> tuple[pa.DataType, ...]:
    """Child types of a type, none for a scalar; a map counts as a list of entries of key and value."""
    if pa.types.is_struct(kind):
        return tuple(field.type for field in kind)
    if pa.types.is_map(kind):
        return (pa.struct([kind.key_field, kind.item_field]),)
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return (kind.value_type,)
    return ()


def _below(root: pa.Field, kind: pa.DataType, *, way: tuple[int, ...]) -> Iterator[Node]:
    inner = children(kind)
    yield Node(root, way, not inner)
    for number, child in enumerate(inner):
        yield from _below(root, child, way=(*way, number))
