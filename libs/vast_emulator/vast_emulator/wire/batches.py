"""Rows and columns as requests carry them: Arrow IPC."""

import pyarrow as pa

from vast_emulator.refusals import refusal


def read(body: bytes) -> pa.RecordBatch:
    """The one batch of an IPC stream. Raises a refusal (400)."""
    try:
        batches = list(pa.ipc.open_stream(pa.py_buffer(body)))
    except (pa.ArrowException, OSError) as error:
        raise refusal(400, "InvalidArgument", message=f"the rows cannot be read: {error}") from error
    if len(batches) != 1:
        raise refusal(400, "InvalidArgument", message=f"the body holds {len(batches)} batches, not one")
    return batches[0]


def read_schema(body: bytes) -> pa.Schema:
    """The schema message of a request that adds a table or columns. Raises a refusal (400)."""
    try:
        return pa.ipc.read_schema(pa.py_buffer(body))
    except (pa.ArrowException, OSError) as error:
        raise refusal(400, "InvalidArgument", message=f"the columns cannot be read: {error}") from error


def write(batch: pa.RecordBatch) -> bytes:
    """An IPC stream of one batch."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())
