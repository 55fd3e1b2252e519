"""Everything that is committed, or that one transaction sees: immutable, and what an operation makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from vast_emulator.engine.columns import Column
from vast_emulator.engine.errors import missing
from vast_emulator.engine.operations import (
    AddColumns,
    CreateBucket,
    CreateProjection,
    CreateSchema,
    CreateTable,
    Delete,
    DropColumns,
    DropProjection,
    DropSchema,
    DropTable,
    Insert,
    Operation,
    PlaceOperation,
    RenameColumn,
    RenameProjection,
    RenameSchema,
    RenameTable,
    SortTable,
    TableOperation,
    Update,
)
from vast_emulator.engine.port import ROW_ID, TableName
from vast_emulator.engine.table import Changes, ProjectionVersion, TableVersion

Place: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Catalog:
    """Buckets, schemas with their ids by (bucket, path), table ids by (bucket, path, name), tables by id."""

    buckets: frozenset[str] = frozenset()
    schemas: Mapping[tuple[str, str], int] = field(default_factory=dict)
    places: Mapping[Place, int] = field(default_factory=dict)
    tables: Mapping[int, TableVersion] = field(default_factory=dict)

    def need_bucket(self, bucket: str) -> None:
        """404 if there is none."""
        if bucket not in self.buckets:
            raise missing("Bucket", bucket)

    def need_schema(self, bucket: str, path: str) -> None:
        """404 if there is none."""
        self.need_bucket(bucket)
        if (bucket, path) not in self.schemas:
            raise missing("Schema", path)

    def table(self, name: TableName) -> TableVersion:
        """404 if there is none."""
        found = self.places.get((name.bucket, name.schema, name.name))
        if found is None:
            self.need_schema(name.bucket, name.schema)
            raise missing("Table", name.name)
        return self.tables[found]

    def below(self, bucket: str, path: str) -> list[str]:
        """Paths of the schema and of all schemas inside of it."""
        return [each for owner, each in self.schemas if owner == bucket and is_within(each, path)]


def is_within(path: str, top: str) -> bool:
    """Whether a schema path is `top` or below it."""
    return path == top or path.startswith(f"{top}/")


def apply(catalog: Catalog, operation: Operation, *, changes: Changes) -> Catalog:
    """The catalog after an operation; one on a table that is gone changes nothing."""
    if isinstance(operation, PlaceOperation):
        return _apply_place(catalog, operation)
    table = catalog.tables.get(operation.table)
    if table is None:
        return catalog
    return with_table(catalog, _apply_table(table, operation, changes=changes))


def with_table(catalog: Catalog, table: TableVersion) -> Catalog:
    """With another version of one table."""
    return replace(catalog, tables={**catalog.tables, table.id: table})


def _apply_place(catalog: Catalog, operation: PlaceOperation) -> Catalog:
    match operation:
        case CreateBucket(bucket=bucket):
            return replace(catalog, buckets=catalog.buckets | {bucket})
        case CreateSchema(bucket=bucket, path=path, id=id):
            return replace(catalog, schemas={**catalog.schemas, (bucket, path): id})
        case RenameSchema():
            return _rename_schema(catalog, operation)
        case DropSchema(bucket=bucket, path=path):
            schemas = {key: id for key, id in catalog.schemas.items() if key != (bucket, path)}
            return replace(catalog, schemas=schemas)
        case CreateTable(place=place, table=id):
            return with_table(replace(catalog, places={**catalog.places, place: id}), _new_table(operation))
        case RenameTable(place=place, new_place=new_place):
            places = {new_place if key == place else key: id for key, id in catalog.places.items()}
            return replace(catalog, places=places)
        case DropTable(place=place):
            places = {key: id for key, id in catalog.places.items() if key != place}
            left = set(places.values())
            return replace(
                catalog, places=places, tables={id: table for id, table in catalog.tables.items() if id in left}
            )


def _apply_table(table: TableVersion, operation: TableOperation, *, changes: Changes) -> TableVersion:
    match operation:
        case Insert(rows=rows, external=external):
            return changes.insert(table, rows, external=external)
        case Update(rows=rows):
            return changes.update(table, rows)
        case Delete(rows=rows):
            return changes.delete(table, np.asarray(rows.column(ROW_ID).to_numpy(), dtype=np.uint64))
        case SortTable(key=key):
            return changes.sort(table, key)
        case AddColumns(schema=schema):
            added = tuple(Column(table.next_column + place, each) for place, each in enumerate(schema))
            return replace(table, columns=(*table.columns, *added), next_column=table.next_column + len(added))
        case DropColumns(columns=columns):
            return replace(table, columns=tuple(each for each in table.columns if each.id not in columns))
        case RenameColumn(column=column, name=name):
            renamed = [
                Column(each.id, each.field.with_name(name)) if each.id == column else each for each in table.columns
            ]
            return replace(table, columns=tuple(renamed))
        case CreateProjection(name=name, columns=columns, key=key):
            return changes.add_projection(table, ProjectionVersion(name, columns, key))
        case RenameProjection(name=name, new_name=new_name):
            projections = [replace(each, name=new_name) if each.name == name else each for each in table.projections]
            return replace(table, projections=tuple(projections))
        case DropProjection(name=name):
            return replace(table, projections=tuple(each for each in table.projections if each.name != name))


def _new_table(operation: CreateTable) -> TableVersion:
    columns = tuple(Column(place, each) for place, each in enumerate(operation.schema))
    return TableVersion(operation.table, columns, len(columns), key=operation.sort_key)


def _rename_schema(catalog: Catalog, operation: RenameSchema) -> Catalog:
    def moved(bucket: str, path: str) -> str:
        if bucket != operation.bucket or not is_within(path, operation.path):
            return path
        return operation.new_path + path[len(operation.path) :]

    schemas = {(bucket, moved(bucket, path)): id for (bucket, path), id in catalog.schemas.items()}
    places = {(bucket, moved(bucket, path), name): id for (bucket, path, name), id in catalog.places.items()}
    return replace(catalog, schemas=schemas, places=places)
