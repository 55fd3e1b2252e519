"""A checkpoint: the committed catalog as one file that names its chunks, so that old redo logs can go."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
import pyarrow as pa

from vast_emulator.engine.catalog import Catalog
from vast_emulator.engine.chunk import Bounds, Chunk, Shape
from vast_emulator.engine.chunks import ChunkStore, from_batch, to_batch
from vast_emulator.engine.columns import Column
from vast_emulator.engine.group import Part
from vast_emulator.engine.operations import from_wire, to_wire
from vast_emulator.engine.redo import frame, records, sync_folder
from vast_emulator.engine.rows import Rows
from vast_emulator.engine.table import ProjectionVersion, TableVersion
from vast_emulator.engine.values import Element, Key, Plain

_Packed: TypeAlias = list[int | float | bytes]
"""A plain value; an integer of more than 64 bits as its high and its low part."""

_WORD = 64


class _Chunk(msgspec.Struct, frozen=True, array_like=True):
    id: int
    rows: int
    bytes: int
    low: int
    high: int
    key: tuple[int, ...]
    bounds: dict[int, tuple[_Packed, _Packed] | bool]
    batch: pa.RecordBatch | None


class _Rows(msgspec.Struct, frozen=True, array_like=True):
    groups: list[list[tuple[int, bytes]]]
    bounds: list[list[tuple[int, _Packed]]]
    count: int


class _Projection(msgspec.Struct, frozen=True, array_like=True):
    name: str
    columns: tuple[int, ...]
    key: tuple[int, ...]
    rows: _Rows


class _Table(msgspec.Struct, frozen=True, array_like=True):
    id: int
    column_ids: list[int]
    schema: pa.Schema
    next_column: int
    key: tuple[int, ...]
    external: bool
    rows: _Rows
    projections: list[_Projection]


class _Manifest(msgspec.Struct, frozen=True):
    first_log: int
    next_object: int
    next_rows: dict[int, int]
    buckets: list[str]
    schemas: list[tuple[str, str, int]]
    places: list[tuple[str, str, str, int]]
    tables: list[_Table]
    chunks: list[_Chunk]


class Saved(msgspec.Struct, frozen=True):
    """What a checkpoint holds: the catalog, the first log to replay, the next ids of objects and of rows by table."""

    catalog: Catalog
    first_log: int
    next_object: int
    next_rows: dict[int, int]


def save(path: Path, saved: Saved, *, store: ChunkStore) -> None:
    """Writes chunks, then the checkpoint, then swaps it in: a crash or an OSError leaves the old one or the new one."""
    catalog = saved.catalog
    chunks = {part.chunk.id: part.chunk for table in catalog.tables.values() for part in _parts(table)}
    manifest = _Manifest(
        first_log=saved.first_log,
        next_object=saved.next_object,
        next_rows=saved.next_rows,
        buckets=sorted(catalog.buckets),
        schemas=[(*key, id) for key, id in catalog.schemas.items()],
        places=[(*place, id) for place, id in catalog.places.items()],
        tables=[_pack_table(table) for table in catalog.tables.values()],
        chunks=[_pack_chunk(chunk, store) for chunk in chunks.values()],
    )
    store.sync()
    draft = path.with_suffix(".new")
    try:
        with draft.open("wb") as file:
            file.write(frame(msgspec.msgpack.encode(manifest, enc_hook=to_wire)))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    draft.replace(path)
    sync_folder(path.parent)


def load(path: Path, store: ChunkStore) -> Saved:
    """The last checkpoint, or an empty catalog if there is none; chunk files it does not name are removed."""
    if not path.exists():
        store.keep_only(())
        return Saved(Catalog(), 0, 1, {})
    record = next(records(path, is_last=False))
    manifest = msgspec.msgpack.decode(record, type=_Manifest, dec_hook=from_wire)
    store.keep_only(chunk.id for chunk in manifest.chunks if chunk.batch is None)
    chunks = {packed.id: _unpack_chunk(packed, store) for packed in manifest.chunks}
    catalog = Catalog(
        buckets=frozenset(manifest.buckets),
        schemas={(bucket, schema): id for bucket, schema, id in manifest.schemas},
        places={(bucket, schema, name): id for bucket, schema, name, id in manifest.places},
        tables={table.id: _unpack_table(table, chunks) for table in manifest.tables},
    )
    return Saved(catalog, manifest.first_log, manifest.next_object, manifest.next_rows)


def _parts(table: TableVersion) -> Iterator[Part]:
    for rows in (table.rows, *(projection.rows for projection in table.projections)):
        for group in rows.groups:
            yield from group


def _pack_table(table: TableVersion) -> _Table:
    return _Table(
        id=table.id,
        column_ids=[column.id for column in table.columns],
        schema=pa.schema([column.field for column in table.columns]),
        next_column=table.next_column,
        key=table.key,
        external=table.external,
        rows=_pack_rows(table.rows),
        projections=[
            _Projection(each.name, each.columns, each.key, _pack_rows(each.rows)) for each in table.projections
        ],
    )


def _unpack_table(packed: _Table, chunks: dict[int, Chunk]) -> TableVersion:
    return TableVersion(
        id=packed.id,
        columns=tuple(Column(id, each) for id, each in zip(packed.column_ids, packed.schema, strict=True)),
        next_column=packed.next_column,
        key=packed.key,
        external=packed.external,
        rows=_unpack_rows(packed.rows, chunks),
        projections=tuple(
            ProjectionVersion(each.name, each.columns, each.key, _unpack_rows(each.rows, chunks))
            for each in packed.projections
        ),
    )


def _pack_rows(rows: Rows) -> _Rows:
    groups = [[(part.chunk.id, part.dead.astype("<i8").tobytes()) for part in group] for group in rows.groups]
    bounds = [[_pack_element(each) for each in bound] for bound in rows.bounds]
    return _Rows(groups, bounds, rows.count)


def _unpack_rows(packed: _Rows, chunks: dict[int, Chunk]) -> Rows:
    groups = [
        tuple(Part(chunks[id], np.frombuffer(dead, "<i8").astype(np.int64)) for id, dead in group)
        for group in packed.groups
    ]
    bounds: list[Key] = [tuple(_unpack_element(each) for each in bound) for bound in packed.bounds]
    return Rows(tuple(groups), tuple(bounds), packed.count)


def _pack_chunk(chunk: Chunk, store: ChunkStore) -> _Chunk:
    shape = chunk.shape
    bounds = {id: _pack_bounds(each) for id, each in shape.bounds.items()}
    batch = None if store.make_durable(chunk) else to_batch(chunk.data())
    return _Chunk(chunk.id, shape.rows, shape.bytes, shape.low, shape.high, shape.key, bounds, batch)


def _unpack_chunk(packed: _Chunk, store: ChunkStore) -> Chunk:
    bounds = {id: _unpack_bounds(each) for id, each in packed.bounds.items()}
    shape = Shape(packed.rows, packed.bytes, low=packed.low, high=packed.high, key=packed.key, bounds=bounds)
    return store.adopt(packed.id, shape, data=None if packed.batch is None else from_batch(packed.batch))


def _pack_bounds(bounds: Bounds) -> tuple[_Packed, _Packed] | bool:
    """No values at all is True, unknown is False."""
    if bounds is None or bounds is False:
        return bounds is None
    return (_pack(bounds[0]), _pack(bounds[1]))


def _unpack_bounds(packed: tuple[_Packed, _Packed] | bool) -> Bounds:
    if isinstance(packed, bool):
        return None if packed else False
    return (_unpack(packed[0]), _unpack(packed[1]))


def _pack_element(each: Element) -> tuple[int, _Packed]:
    return (each[0], [] if len(each) == 1 else _pack(each[1]))


def _unpack_element(packed: tuple[int, _Packed]) -> Element:
    rank, value = packed
    return (rank, _unpack(value)) if value else (rank,)


def _pack(value: Plain) -> _Packed:
    if isinstance(value, int) and value.bit_length() > _WORD - 1:
        return [value >> _WORD, value & ((1 << _WORD) - 1)]
    return [value]


def _unpack(packed: _Packed) -> Plain:
    value = packed[0]
    if len(packed) == 1:
        return value
    return (int(value) << _WORD) | int(packed[1])
