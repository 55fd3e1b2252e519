"""Cutting columns into leaves: the wire carries one leaf at a time, with copies of the levels above it.

`Struct<A, B>` travels as `Struct<A>` and `Struct<B>`, `Map<K, V>` as `List<Struct<K>>` and `List<Struct<V>>`.
"""

import pyarrow as pa


def contiguous(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The column as one array that begins where its buffers begin, children included: cutting works on the buffers."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    if len(chunks) == 1 and not chunks[0].offset and not pa.types.is_nested(chunks[0].type):
        return chunks[0]
    # An empty one beside it makes pyarrow copy even a single array, which rebases the offsets on every level.
    return pa.concat_arrays([*chunks, pa.array([], column.type)])


def cut(array: pa.Array, way: tuple[int, ...]) -> pa.Array:
    """The leaf at the end of the way, with the levels above it; the array must be contiguous."""
    if not way:
        return array
    step, rest = way[0], way[1:]
    kind = array.type
    if pa.types.is_struct(kind):
        return _cut_struct(array, step, way=rest)
    if pa.types.is_map(kind):
        entries = pa.StructArray.from_arrays([array.keys, array.items], fields=[kind.key_field, kind.item_field])
        child = cut(entries, rest)
        return _list_like(array, pa.list_(pa.field("entries", child.type)), child=child)
    child = cut(array.values, rest)
    item = kind.value_field.with_type(child.type)
    if pa.types.is_fixed_size_list(kind):
        return _list_like(array, pa.list_(item, kind.list_size), child=child)
    return _list_like(array, pa.list_(item), child=child)


def _cut_struct(array: pa.StructArray, step: int, *, way: tuple[int, ...]) -> pa.Array:
    child = cut(array.field(step), way)
    mask = array.is_null() if array.null_count else None
    return pa.StructArray.from_arrays([child], fields=[pa.field(array.type.field(step).name, child.type)], mask=mask)


def _list_like(array: pa.Array, kind: pa.DataType, *, child: pa.Array) -> pa.Array:
    buffers = array.buffers()[: kind.num_buffers]
    return pa.Array.from_buffers(kind, len(array), buffers, null_count=array.null_count, children=[child])
