"""Flatbuffers that answer lists and statistics, built with the SDK's own classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import flatbuffers
from vastdb.vast_flatbuf.tabular import (
    GetProjectionTableStatsResponse,
    GetTableStatsResponse,
    ListProjectionsResponse,
    ListSchemasResponse,
    ListTablesResponse,
    ObjectDetails,
    VipRange,
)

from vast_emulator.engine.port import TableName

# The score's highest bit says that sorting is done; the emulator has no background work to wait for.
_SORTED = -(1 << 63)


@dataclass(frozen=True)
class Entry:
    """One listed thing: its name, a number for its handle, and what is stored of it (bytes as Arrow keeps them)."""

    name: str
    handle: int = 0
    rows: int = 0
    size: int = 0
    is_sorted: bool = False


@dataclass(frozen=True)
class Statistics:
    """A table's statistics; `address` is an IPv4 address at which it can be reached, if there is one."""

    rows: int
    size: int
    is_sorted: bool
    has_external_row_ids: bool
    address: str | None


def schemas(bucket: str, names: Sequence[str]) -> bytes:
    """A `ListSchemasResponse`."""
    builder = flatbuffers.Builder(256)
    entries = [_entry(builder, Entry(name)) for name in names]
    text = builder.CreateString(bucket)
    vector = _vector(builder, ListSchemasResponse.StartSchemasVector, offsets=entries)
    ListSchemasResponse.Start(builder)
    ListSchemasResponse.AddBucketName(builder, text)
    ListSchemasResponse.AddSchemas(builder, vector)
    return _finish(builder, ListSchemasResponse.End(builder))


def tables(bucket: str, schema: str, *, entries: Sequence[Entry]) -> bytes:
    """A `ListTablesResponse`."""
    builder = flatbuffers.Builder(256)
    offsets = [_entry(builder, entry) for entry in entries]
    texts = [builder.CreateString(text) for text in (bucket, schema)]
    vector = _vector(builder, ListTablesResponse.StartTablesVector, offsets=offsets)
    ListTablesResponse.Start(builder)
    ListTablesResponse.AddBucketName(builder, texts[0])
    ListTablesResponse.AddSchemaName(builder, texts[1])
    ListTablesResponse.AddTables(builder, vector)
    return _finish(builder, ListTablesResponse.End(builder))


def projections(table: TableName, entries: Sequence[Entry]) -> bytes:
    """A `ListProjectionsResponse`."""
    builder = flatbuffers.Builder(256)
    offsets = [_entry(builder, entry) for entry in entries]
    texts = [builder.CreateString(text) for text in (table.bucket, table.schema, table.name)]
    vector = _vector(builder, ListProjectionsResponse.StartProjectionsVector, offsets=offsets)
    ListProjectionsResponse.Start(builder)
    ListProjectionsResponse.AddBucketName(builder, texts[0])
    ListProjectionsResponse.AddSchemaName(builder, texts[1])
    ListProjectionsResponse.AddTableName(builder, texts[2])
    ListProjectionsResponse.AddProjections(builder, vector)
    return _finish(builder, ListProjectionsResponse.End(builder))


def table_statistics(found: Statistics) -> bytes:
    """A `GetTableStatsResponse`; without an address the SDK stays at the endpoint it was given."""
    builder = flatbuffers.Builder(256)
    kind = builder.CreateString("ipv4")
    ranges = [] if found.address is None else [_address(builder, found.address)]
    vector = _vector(builder, GetTableStatsResponse.StartVipsVector, offsets=ranges)
    GetTableStatsResponse.Start(builder)
    GetTableStatsResponse.AddNumRows(builder, found.rows)
    GetTableStatsResponse.AddSizeInBytes(builder, found.size)
    GetTableStatsResponse.AddIsExternalRowidAlloc(builder, found.has_external_row_ids)
    GetTableStatsResponse.AddAddressType(builder, kind)
    GetTableStatsResponse.AddVips(builder, vector)
    GetTableStatsResponse.AddSortingKeyEnabled(builder, found.is_sorted)
    if found.is_sorted:
        GetTableStatsResponse.AddSortingScore(builder, _SORTED)
    return _finish(builder, GetTableStatsResponse.End(builder))


def projection_statistics(rows: int, size: int) -> bytes:
    """A `GetProjectionTableStatsResponse`."""
    builder = flatbuffers.Builder(64)
    GetProjectionTableStatsResponse.Start(builder)
    GetProjectionTableStatsResponse.AddNumRows(builder, rows)
    GetProjectionTableStatsResponse.AddSizeInBytes(builder, size)
    return _finish(builder, GetProjectionTableStatsResponse.End(builder))


def _entry(builder: flatbuffers.Builder, entry: Entry) -> int:
    name, properties, handle = (builder.CreateString(text) for text in (entry.name, "", str(entry.handle)))
    ObjectDetails.Start(builder)
    ObjectDetails.AddName(builder, name)
    ObjectDetails.AddProperties(builder, properties)
    ObjectDetails.AddHandle(builder, handle)
    ObjectDetails.AddNumRows(builder, entry.rows)
    ObjectDetails.AddSizeInBytes(builder, entry.size)
    ObjectDetails.AddSortingKeyEnabled(builder, entry.is_sorted)
    if entry.is_sorted:
        ObjectDetails.AddSortingScore(builder, _SORTED)
    return int(ObjectDetails.End(builder))


def _address(builder: flatbuffers.Builder, address: str) -> int:
    start = builder.CreateString(address)
    VipRange.Start(builder)
    VipRange.AddStartAddress(builder, start)
    VipRange.AddAddressCount(builder, 1)
    return int(VipRange.End(builder))


def _vector(builder: flatbuffers.Builder, start: Callable[..., int], *, offsets: Sequence[int]) -> int:
    start(builder, len(offsets))
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _finish(builder: flatbuffers.Builder, root: int) -> bytes:
    builder.Finish(root)
    return bytes(builder.Output())
