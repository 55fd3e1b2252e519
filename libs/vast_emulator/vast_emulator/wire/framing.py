"""The stream of a `?data` reply: records of a stream id, the next row id, and one Arrow IPC message each.

A sub-split is a stream. Every column of a window is sent by itself (schema, batch, end of stream); the row id beside
the last column says where the sub-split goes on.
"""

import struct
from collections.abc import Iterator, Sequence

import pyarrow as pa

KEEP_ALIVE = struct.pack("<L", 0xFFFFFFFF)
COMPLETED = struct.pack("<L", 0xFFFFFFFE)
FAILED = struct.pack("<LQL", 0xFFFFFFFD, 1, 0)
END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def window(stream: int, next_row: int, *, columns: Sequence[pa.RecordBatch]) -> Iterator[bytes]:
    """One window of a sub-split: its columns in the order of the projection, each a batch of one column."""
    head = struct.pack("<LQ", stream, next_row)
    for batch in columns:
        schema = batch.schema.serialize().to_pybytes()
        yield b"".join((head, schema, head, batch.serialize().to_pybytes(), head, END_OF_STREAM))


def only_count(rows: int) -> pa.RecordBatch:
    """The batch without columns that answers an empty projection."""
    return pa.RecordBatch.from_arrays([pa.nulls(rows, pa.int8())], names=["rows"]).select([])
