"""Columns of a table."""

from collections.abc import Sequence

import pyarrow as pa

from vast_emulator.engine.errors import invalid
from vast_emulator.handlers.face import Face
from vast_emulator.handlers.tables import refuse_imports
from vast_emulator.message import OK, Answer, Call
from vast_emulator.paging import page
from vast_emulator.wire import batches, columns


def list_columns(face: Face, call: Call) -> Answer:
    """`GET ?column`."""
    refuse_imports(call)
    with face.engine.using(call.txid) as statements:
        table = statements.table(call.table)
    # Only the page's fields are built: a table may have tens of thousands, and a client reads them by the hundred.
    numbers, headers = page(call, range(len(table.schema)), name=table.schema.names.__getitem__)
    if face.version.sends_sorting_in_fields:
        fields = [columns.described(table.schema, number, sort_key=table.sort_key) for number in numbers]
    else:
        fields = [table.schema.field(number) for number in numbers]
    if "tabular-only-column-names" in call.headers:
        fields = columns.names_only(fields)
    body, limit = columns.write(fields), face.version.column_list_bytes
    if limit is not None and len(body) > limit:
        raise invalid(f"list column result size {len(body)} is too long")
    return Answer(body=body, headers=headers)


def list_sorted(face: Face, call: Call) -> Answer:
    """`GET ?sorted-columns`: the sorting key in its order, as clients of 5.4 ask for it."""
    with face.engine.using(call.txid) as statements:
        table = statements.table(call.table)
    if not table.sort_key:
        raise invalid("Listing sorted columns without elysium enabled")
    return answer(call, [table.schema.field(number) for number in table.sort_key])


def add(face: Face, call: Call) -> Answer:
    """`POST ?column`."""
    schema = batches.read_schema(call.body)
    with face.engine.using(call.txid) as statements:
        statements.add_columns(call.table, schema)
    return OK


def drop(face: Face, call: Call) -> Answer:
    """`DELETE ?column`; the body names the columns by a schema."""
    names = batches.read_schema(call.body).names
    with face.engine.using(call.txid) as statements:
        statements.drop_columns(call.table, names)
    return OK


def alter(face: Face, call: Call) -> Answer:
    """`PUT ?column`: a new name, if one is given; properties and statistics are not kept."""
    column, new_name = call.parameter("tabular-column-name"), call.parameters.get("tabular-new-column-name")
    if new_name:
        with face.engine.using(call.txid) as statements:
            statements.rename_column(call.table, column, new_name=new_name)
    return OK


def answer(call: Call, fields: Sequence[pa.Field]) -> Answer:
    """One page of a short list of columns."""
    found, headers = page(call, fields, name=_name)
    return Answer(body=columns.write(found), headers=headers)


def _name(field: pa.Field) -> str:
    return str(field.name)
