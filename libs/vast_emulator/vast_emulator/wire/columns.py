"""Columns as lists of columns show them: a schema, with the sorting key beside the fields it names."""

from collections.abc import Sequence

import pyarrow as pa

from vast_emulator.wire.framing import END_OF_STREAM


def described(schema: pa.Schema, number: int, *, sort_key: Sequence[int]) -> pa.Field:
    """A field with the metadata that the SDK of 5.5 reads; it breaks on a field without any."""
    return schema.field(number).with_metadata(_sorting(number, sort_key))


def names_only(fields: Sequence[pa.Field]) -> list[pa.Field]:
    """The fields with a type that costs nothing to send."""
    return [pa.field(field.name, pa.int8(), metadata=field.metadata) for field in fields]


def write(fields: Sequence[pa.Field]) -> bytes:
    """An IPC stream that holds only a schema."""
    return bytes(pa.schema(fields).serialize().to_pybytes() + END_OF_STREAM)


def _sorting(number: int, sort_key: Sequence[int]) -> dict[str, str]:
    if number not in sort_key:
        return {"VAST:sort_type": "Unsorted"}
    return {"VAST:sort_type": "Sorted", "VAST:sort_index": str(sort_key.index(number))}
