"""Statements about schemas, tables, columns and projections."""

from collections.abc import Sequence

import pyarrow as pa

from vast_emulator.engine.columns import check_types
from vast_emulator.engine.errors import conflict, invalid
from vast_emulator.engine.operations import (
    AddColumns,
    CreateProjection,
    CreateSchema,
    CreateTable,
    DropColumns,
    DropProjection,
    DropSchema,
    DropTable,
    RenameColumn,
    RenameProjection,
    RenameSchema,
    RenameTable,
    SortTable,
)
from vast_emulator.engine.port import ROW_ID, ProjectionColumn, Table, TableName
from vast_emulator.engine.session import Session, content_lock, definition_lock, place_lock, place_of, schema_lock
from vast_emulator.engine.state import State
from vast_emulator.engine.table import TableVersion
from vast_emulator.engine.transactions import Transaction


class Definitions:
    """The statements of `port.Statements` that change or show what there is, not rows."""

    def __init__(self, state: State, transaction: Transaction) -> None:
        self._state = state
        self._session = Session(state, transaction)

    def list_schemas(self, bucket: str, parent: str) -> list[str]:
        """See `port.Statements`."""
        view = self._session.view
        view.need_bucket(bucket)
        if parent:
            view.need_schema(bucket, parent)
        prefix = f"{parent}/" if parent else ""
        found = [
            (id, path.removeprefix(prefix))
            for (owner, path), id in view.schemas.items()
            if owner == bucket and path.startswith(prefix) and "/" not in path.removeprefix(prefix)
        ]
        return [name for _, name in sorted(found)]

    def create_schema(self, bucket: str, path: str) -> None:
        """See `port.Statements`."""
        view = self._session.view
        view.need_bucket(bucket)
        parent = path.rpartition("/")[0]
        if parent:
            view.need_schema(bucket, parent)
            self._session.share(schema_lock(bucket, parent))
        if (bucket, path) in view.schemas:
            raise conflict(f"schema {path} exists", code="TabularSchemaExists")
        self._session.take(schema_lock(bucket, path))
        self._session.do(CreateSchema(bucket, path, self._state.new_object()))

    def rename_schema(self, bucket: str, path: str, *, new_path: str) -> None:
        """See `port.Statements`."""
        view = self._session.view
        view.need_schema(bucket, path)
        if (bucket, new_path) in view.schemas:
            raise conflict(f"schema {new_path} exists", code="TabularSchemaExists")
        self._session.take(
            schema_lock(bucket, new_path), *(schema_lock(bucket, each) for each in view.below(bucket, path))
        )
        self._session.do(RenameSchema(bucket, path, new_path))

    def drop_schema(self, bucket: str, path: str) -> None:
        """See `port.Statements`."""
        view = self._session.view
        view.need_schema(bucket, path)
        if len(view.below(bucket, path)) > 1 or any(place[:2] == (bucket, path) for place in view.places):
            raise conflict(f"schema {path} is not empty", code="TabularSchemaNotEmpty")
        self._session.take(schema_lock(bucket, path))
        self._session.do(DropSchema(bucket, path))

    def list_tables(self, bucket: str, schema: str) -> list[Table]:
        """See `port.Statements`."""
        view = self._session.view
        view.need_schema(bucket, schema)
        found = [(id, place[2]) for place, id in view.places.items() if place[:2] == (bucket, schema)]
        return [view.tables[id].described(name) for id, name in sorted(found)]

    def table(self, name: TableName) -> Table:
        """See `port.Statements`."""
        return self._session.view.table(name).described(name.name)

    def create_table(self, name: TableName, schema: pa.Schema, *, sort_key: Sequence[int] = ()) -> None:
        """See `port.Statements`."""
        self._need_free(name)
        fields = [field.remove_metadata() for field in schema]
        check_types(fields)
        _need_distinct(schema.names)
        _need_sortable(fields, sort_key)
        self._session.share(schema_lock(name.bucket, name.schema))
        self._session.take(place_lock(name))
        table = self._state.new_object()
        self._session.do(CreateTable(place_of(name), table, pa.schema(fields), tuple(sort_key)))

    def rename_table(self, name: TableName, new_name: TableName) -> None:
        """See `port.Statements`."""
        self._session.view.table(name)
        self._need_free(new_name)
        self._session.share(schema_lock(name.bucket, name.schema), schema_lock(new_name.bucket, new_name.schema))
        self._session.take(place_lock(name), place_lock(new_name))
        self._session.do(RenameTable(place_of(name), place_of(new_name)))

    def add_sort_key(self, name: TableName, sort_key: Sequence[int]) -> None:
        """See `port.Statements`."""
        table = self._session.view.table(name)
        if table.key:
            raise invalid("sorting is enabled already")
        _need_sortable([column.field for column in table.columns], sort_key)
        self._session.take(definition_lock(table.id), content_lock(table.id))
        self._session.do(SortTable(table.id, tuple(table.columns[place].id for place in sort_key)))

    def drop_table(self, name: TableName) -> None:
        """See `port.Statements`."""
        table = self._session.view.table(name)
        self._session.share(schema_lock(name.bucket, name.schema))
        self._session.take(place_lock(name), definition_lock(table.id), content_lock(table.id))
        self._session.do(DropTable(place_of(name)))

    def add_columns(self, name: TableName, columns: pa.Schema) -> None:
        """See `port.Statements`."""
        table = self._defined(name)
        fields = [field.remove_metadata() for field in columns]
        check_types(fields)
        _need_distinct([*(column.name for column in table.columns), *columns.names])
        self._session.do(AddColumns(table.id, pa.schema(fields)))

    def drop_columns(self, name: TableName, columns: Sequence[str]) -> None:
        """See `port.Statements`."""
        table = self._defined(name)
        ids = tuple(table.column(column).id for column in columns)
        projected = {id for projection in table.projections for id in projection.columns}
        if projected.union(table.key).intersection(ids):
            raise invalid("a column of the sort key or of a projection cannot be dropped")
        self._session.take(content_lock(table.id))
        self._session.do(DropColumns(table.id, ids))

    def rename_column(self, name: TableName, column: str, *, new_name: str) -> None:
        """See `port.Statements`."""
        table = self._defined(name)
        found = table.column(column)
        _need_distinct([new_name, *(each.name for each in table.columns if each != found)])
        self._session.do(RenameColumn(table.id, found.id, new_name))

    def create_projection(self, name: TableName, projection: str, *, columns: Sequence[ProjectionColumn]) -> None:
        """See `port.Statements`."""
        table = self._defined(name)
        self._need_free_projection(table, projection)
        _need_distinct([column.name for column in columns])
        ids = tuple(table.column(column.name).id for column in columns)
        key = tuple(id for id, column in zip(ids, columns, strict=True) if column.is_sorted)
        kinds = [each.field for each in table.columns]
        _need_sortable(kinds, [place for place, each in enumerate(table.columns) if each.id in key])
        self._session.do(CreateProjection(table.id, projection, ids, key))

    def rename_projection(self, name: TableName, projection: str, *, new_name: str) -> None:
        """See `port.Statements`."""
        table = self._defined(name)
        found = table.projection(projection)
        self._need_free_projection(table, new_name)
        self._session.do(RenameProjection(table.id, found.name, new_name))

    def drop_projection(self, name: TableName, projection: str) -> None:
        """See `port.Statements`."""
        table = self._defined(name)
        self._session.do(DropProjection(table.id, table.projection(projection).name))

    def _defined(self, name: TableName) -> TableVersion:
        """The table, its definition taken."""
        table = self._session.view.table(name)
        self._session.take(definition_lock(table.id))
        return table

    def _need_free(self, name: TableName) -> None:
        self._session.view.need_schema(name.bucket, name.schema)
        if place_of(name) in self._session.view.places:
            raise conflict(f"table {name.name} exists", code="TabularTableExists")

    def _need_free_projection(self, table: TableVersion, name: str) -> None:
        if any(each.name == name for each in table.projections):
            raise conflict(f"projection {name} exists", code="TabularProjectionExists")


def _need_distinct(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise conflict("two columns of one name", code="TabularColumnExists")
    if ROW_ID in names:
        raise invalid(f"{ROW_ID} is the row id's own name")


def _need_sortable(fields: Sequence[pa.Field], sort_key: Sequence[int]) -> None:
    if len(set(sort_key)) < len(sort_key):
        raise invalid("a sorting column is given twice")
    for place in sort_key:
        if not 0 <= place < len(fields):
            raise invalid("no such sorting column")
        kind = fields[place].type
        if pa.types.is_nested(kind) or pa.types.is_float16(kind):
            raise invalid(f"{kind} cannot be sorted")
