"""Tables: lists, definitions and statistics."""

import ipaddress

import pyarrow as pa

from vast_emulator.engine.errors import invalid
from vast_emulator.engine.port import Table, TableName
from vast_emulator.handlers.face import Face
from vast_emulator.message import OK, Answer, Call
from vast_emulator.paging import page
from vast_emulator.refusals import refusal
from vast_emulator.wire import batches, listings

_PARTITION_KEY = b"VAST:table:partition-key-"


def refuse_imports(call: Call) -> None:
    """The table of imported objects is not emulated; the code is what VAST says where it cannot keep one."""
    if "sub-table" in call.parameters:
        raise refusal(500, "InternalError", message="We encountered an internal error: imports tables are not emulated")


def list_tables(face: Face, call: Call) -> Answer:
    """`GET /bucket/path?table`."""
    with face.engine.using(call.txid) as statements:
        tables = statements.list_tables(call.bucket, call.schema)
    found, headers = page(call, tables, name=_name)
    entries = [listings.Entry(t.name, t.id, rows=t.rows, size=t.bytes, is_sorted=bool(t.sort_key)) for t in found]
    return Answer(body=listings.tables(call.bucket, call.schema, entries=entries), headers=headers)


def create(face: Face, call: Call) -> Answer:
    """`POST ?table`. Partition keys and vector indexes are refused: ignoring them would be a lie."""
    refuse_imports(call)
    schema = batches.read_schema(call.body)
    if any(name.startswith(_PARTITION_KEY) for name in schema.metadata or ()):
        raise refusal(501, "NotImplemented", message="partitioned tables are not emulated")
    if "tabular-vector-index-column" in call.headers:
        raise refusal(501, "NotImplemented", message="vector indexes are not emulated")
    with face.engine.using(call.txid) as statements:
        statements.create_table(call.table, schema.remove_metadata(), sort_key=_sort_key(face, call, schema=schema))
    return OK


def alter(face: Face, call: Call) -> Answer:
    """`PUT ?table`: a new name (a path below the bucket), a sorting key, or both; properties are not kept."""
    new_path = call.parameters.get("tabular-new-table-name")
    with face.engine.using(call.txid) as statements:
        sort_key = _sort_key(face, call, schema=statements.table(call.table).schema)
        if sort_key:
            statements.add_sort_key(call.table, sort_key)
        if new_path:
            statements.rename_table(call.table, _moved(call.table, new_path))
    return OK


def drop(face: Face, call: Call) -> Answer:
    """`DELETE ?table`."""
    refuse_imports(call)
    with face.engine.using(call.txid) as statements:
        statements.drop_table(call.table)
    return OK


def statistics(face: Face, call: Call) -> Answer:
    """`GET ?stats`, with the address the client came by as the only VIP: the SDK cannot be told a port."""
    refuse_imports(call)
    with face.engine.using(call.txid) as statements:
        table = statements.table(call.table)
    found = listings.Statistics(
        rows=table.rows,
        size=table.bytes,
        is_sorted=bool(table.sort_key),
        has_external_row_ids=table.external_row_ids,
        address=_address(call),
    )
    return Answer(body=listings.table_statistics(found))


def _name(table: Table) -> str:
    return table.name


def _moved(table: TableName, new_path: str) -> TableName:
    schema, _, name = new_path.rpartition("/")
    return TableName(table.bucket, schema or table.schema, name)


def _sort_key(face: Face, call: Call, *, schema: pa.Schema) -> tuple[int, ...]:
    """The numbered headers `tabular-sorted-column-N`, in their order: columns by their place in `schema`."""
    found: list[int] = []
    while (number := call.number(f"tabular-sorted-column-{len(found)}", -1)) >= 0:
        found.append(number)
    if len(set(found)) != len(found):
        raise invalid("a sorting key names a column twice")
    if max(found, default=0) >= len(schema) and not face.version.checks_sorting_key:
        raise refusal(500, "InternalError", message="We encountered an internal error")
    return tuple(found)


def _address(call: Call) -> str | None:
    host = call.headers.get("host", "").rpartition(":")[0] or call.headers.get("host", "")
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        return None
