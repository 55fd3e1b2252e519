"""What transactions do, as records: applied to catalogs, and written to the redo log. Tables are named by id."""

from typing import Any, TypeAlias

import msgspec
import pyarrow as pa

from vast_emulator.engine.errors import EngineError


class CreateBucket(msgspec.Struct, frozen=True, tag=True):
    """A new bucket."""

    bucket: str


class CreateSchema(msgspec.Struct, frozen=True, tag=True):
    """A new schema at a path, with its id."""

    bucket: str
    path: str
    id: int


class RenameSchema(msgspec.Struct, frozen=True, tag=True):
    """A schema and everything below moves."""

    bucket: str
    path: str
    new_path: str


class DropSchema(msgspec.Struct, frozen=True, tag=True):
    """An empty schema goes."""

    bucket: str
    path: str


class CreateTable(msgspec.Struct, frozen=True, tag=True):
    """A new, empty table; `sort_key` are positions in the schema, which are its columns' ids too."""

    place: tuple[str, str, str]
    table: int
    schema: pa.Schema
    sort_key: tuple[int, ...]


class RenameTable(msgspec.Struct, frozen=True, tag=True):
    """A table moves."""

    place: tuple[str, str, str]
    new_place: tuple[str, str, str]


class DropTable(msgspec.Struct, frozen=True, tag=True):
    """A table goes, its rows and projections with it."""

    place: tuple[str, str, str]


class SortTable(msgspec.Struct, frozen=True, tag=True):
    """An unsorted table gets a sort key, of column ids."""

    table: int
    key: tuple[int, ...]


class AddColumns(msgspec.Struct, frozen=True, tag=True):
    """New columns, with ids from the table's next one on."""

    table: int
    schema: pa.Schema


class DropColumns(msgspec.Struct, frozen=True, tag=True):
    """Columns go, by id."""

    table: int
    columns: tuple[int, ...]


class RenameColumn(msgspec.Struct, frozen=True, tag=True):
    """A column, by id, gets another name."""

    table: int
    column: int
    name: str


class CreateProjection(msgspec.Struct, frozen=True, tag=True):
    """A projection of columns, by id; those of `key` are sorted, in that order."""

    table: int
    name: str
    columns: tuple[int, ...]
    key: tuple[int, ...]


class RenameProjection(msgspec.Struct, frozen=True, tag=True):
    """A projection gets another name."""

    table: int
    name: str
    new_name: str


class DropProjection(msgspec.Struct, frozen=True, tag=True):
    """A projection goes."""

    table: int
    name: str


class Insert(msgspec.Struct, frozen=True, tag=True):
    """New rows: `$row_id` first, then columns named by their ids."""

    table: int
    rows: pa.RecordBatch
    external: bool


class Update(msgspec.Struct, frozen=True, tag=True):
    """Columns to replace: `$row_id` first, ascending, then columns named by their ids."""

    table: int
    rows: pa.RecordBatch


class Delete(msgspec.Struct, frozen=True, tag=True):
    """Rows to delete: `$row_id`, ascending."""

    table: int
    rows: pa.RecordBatch


PlaceOperation: TypeAlias = (
    CreateBucket | CreateSchema | RenameSchema | DropSchema | CreateTable | RenameTable | DropTable
)
TableOperation: TypeAlias = (
    SortTable
    | AddColumns
    | DropColumns
    | RenameColumn
    | CreateProjection
    | RenameProjection
    | DropProjection
    | Insert
    | Update
    | Delete
)
Operation: TypeAlias = PlaceOperation | TableOperation


def encode(operations: list[Operation]) -> bytes:
    """One transaction as one record of the redo log."""
    return msgspec.msgpack.encode(operations, enc_hook=to_wire)


def decode(record: bytes) -> list[Operation]:
    """The transaction of a record."""
    return msgspec.msgpack.decode(record, type=list[Operation], dec_hook=from_wire)


def to_wire(value: object) -> bytes:
    """Arrow values as bytes, for msgspec."""
    if isinstance(value, pa.Schema):
        return bytes(value.serialize())
    if isinstance(value, pa.RecordBatch):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, value.schema) as writer:
            writer.write_batch(value)
        return bytes(sink.getvalue())
    raise NotImplementedError(type(value))


def from_wire(kind: type, value: Any) -> object:  # noqa: ANN401 - msgspec's signature
    """Arrow values from bytes, for msgspec."""
    if kind is pa.Schema:
        return pa.ipc.read_schema(pa.py_buffer(value))
    if kind is pa.RecordBatch:
        with pa.ipc.open_stream(pa.py_buffer(value)) as reader:
            return reader.read_next_batch()
    raise EngineError(500, "InternalError", message=f"a redo record holds {kind}")
