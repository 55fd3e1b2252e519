"""Schemas, tables and projections of one store, asked for and changed within one transaction."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
from vastdb._internal import VastdbApi

from tams_common.errors import StartRefused
from tams_common.store.table import Projection
from tams_common.store.vast.database import Database
from tams_common.store.vast.failures import Missing
from tams_common.store.vast.session import Session
from tams_common.store.vast.stored import Stored

T = TypeVar("T")


class Extent(msgspec.Struct, frozen=True):
    """What the server says of a table: `sorting` tells by which columns it sorts it, and how far it has come."""

    rows: int
    bytes: int
    sorting: str


class Catalog:
    """What is there, and how to change it. Every method is a request or two; none is used at run time."""

    def __init__(self, database: Database, session: Session) -> None:
        self._database = database
        self._session = session
        self._bucket = database.place.bucket

    def create_schema(self) -> None:
        """Makes the schema and those above it; StartRefused without the bucket: buckets are made by operators."""
        try:
            self._session.link.ask(lambda session: session.api.head_bucket(self._bucket), again=True)
        except Missing:
            raise StartRefused(
                f"configuration key TAMS_STORE_URL: there is no bucket {self._bucket}, or it holds no tables"
            ) from None
        path = ""
        for name in self._database.schema.split("/"):
            listed = self._call(VastdbApi.list_schemas, self._bucket, path, name_prefix=name, exact_match=True)
            path = f"{path}/{name}" if path else name
            if not listed[1]:
                self._call(VastdbApi.create_schema, self._bucket, path)

    def tables(self) -> set[str]:
        """The names of all tables of the schema."""
        names: set[str] = set()
        following, more = 0, True
        while more:
            _, _, found, following, more, _ = self._call(
                VastdbApi.list_tables, self._bucket, self._database.schema, next_key=following
            )
            names.update(table.name for table in found)
        return names

    def create_table(self, table: Stored) -> None:
        """Makes a table, sorted as declared."""
        self._on(VastdbApi.create_table, table, table.schema, sorting_key=list(table.sorting))

    def add_columns(self, table: Stored, columns: Sequence[str]) -> None:
        """Adds columns; rows that are there hold nulls in them."""
        self._on(VastdbApi.add_columns, table, pa.schema([table.schema.field(name) for name in columns]))

    def columns(self, table: Stored) -> dict[str, pa.DataType]:
        """The columns of a table with their types."""
        listed = self._on(VastdbApi.list_all_columns, table, sorted_columns=False)
        return {field.name: field.type for field in listed}

    def extent(self, table: Stored) -> Extent:
        """How large a table is and how it lies."""
        stats = self._on(VastdbApi.get_table_stats, table)
        sorting = "as inserted"
        if stats.sorting_key_enabled:
            state = "done" if stats.sorting_done else f"score {stats.sorting_score}"
            sorting = f"by {', '.join(table.sorting)} ({state})"
        return Extent(stats.num_rows, stats.size_in_bytes, sorting)

    def projections(self, table: Stored) -> dict[str, tuple[int, int]]:
        """The projections of a table, with their rows and bytes."""
        *_, found, _, _, _ = self._on(VastdbApi.list_projections, table, include_list_stats=True)
        return {projection.name: (projection.num_rows, projection.size_in_bytes) for projection in found}

    def create_projection(self, table: Stored, projection: Projection) -> None:
        """Makes a projection that covers the order and the key of its rows; bodies are read by key."""
        rest = [name for name in table.layout.table.key if name not in projection.columns]
        columns = [(name, "Sorted") for name in projection.columns] + [(name, "Unsorted") for name in rest]
        self._on(VastdbApi.create_projection, table, projection.name, columns)

    def drop_projection(self, table: Stored, name: str) -> None:
        """Removes a projection."""
        self._on(VastdbApi.drop_projection, table, name)

    def _on(self, method: Callable[..., T], table: Stored, *details: Any, **more: Any) -> T:  # noqa: ANN401
        return self._call(method, self._bucket, self._database.schema, table.name, *details, **more)

    def _call(self, method: Callable[..., T], *details: Any, **more: Any) -> T:  # noqa: ANN401
        transaction = self._session.transaction
        return self._session.link.ask(lambda session: method(session.api, *details, txid=transaction.txid, **more))
