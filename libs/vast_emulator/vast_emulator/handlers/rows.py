"""Rows written: inserted, updated and deleted by row id."""

import pyarrow as pa

from vast_emulator.engine.port import ROW_ID
from vast_emulator.handlers.face import Face
from vast_emulator.handlers.tables import refuse_imports
from vast_emulator.message import OK, Answer, Call
from vast_emulator.wire import batches


def insert(face: Face, call: Call) -> Answer:
    """`POST ?rows`; the answer carries the new row ids."""
    rows = batches.read(call.body)
    with face.engine.using(call.txid) as statements:
        ids = statements.insert(call.table, rows)
    face.counters.rows("inserted", rows.num_rows)
    return Answer(body=batches.write(pa.RecordBatch.from_arrays([ids], names=[ROW_ID])))


def update(face: Face, call: Call) -> Answer:
    """`PUT ?rows`."""
    rows = batches.read(call.body)
    with face.engine.using(call.txid) as statements:
        statements.update(call.table, rows)
    face.counters.rows("updated", rows.num_rows)
    return OK


def delete(face: Face, call: Call) -> Answer:
    """`DELETE ?rows`."""
    refuse_imports(call)
    rows = batches.read(call.body)
    with face.engine.using(call.txid) as statements:
        statements.delete(call.table, rows)
    face.counters.rows("deleted", rows.num_rows)
    return OK
