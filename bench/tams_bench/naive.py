"""The reference for VAST DB: its SDK used naively, as its examples show it, without knowing what a call costs."""

import threading
from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa
import vastdb
from ibis import _
from vastdb.table import ITable
from vastdb.transaction import Transaction

from tams_bench.rows import COLUMNS, PAGE, STEP, Rows
from tams_common.store.table import AnyTable
from tams_common.store.vast import Place
from tams_segments.tables import OBJECTS, SEGMENTS, Segment


class Naive:
    """Each call is a transaction of its own, opens the table it needs and leaves every option as it is.

    A thread has a session of its own, which lives on. It is spared what the store does beyond its task: unique keys,
    a flow's head, finding out where a page ends (it knows how far apart segments lie), lost answers.
    """

    def __init__(self, place: Place, name: str, *, rows: Rows) -> None:
        self._place = place
        self._name = name
        self._rows = rows
        self._local = threading.local()

    def lookup(self, _client: int) -> int:
        """Reads an object by its id."""
        wanted = _.id == self._rows.object_id()
        with self._session().transaction() as tx:
            found = self._open(tx, OBJECTS).select(predicate=wanted).read_all().to_pylist()
        return len(found)

    def page(self, _client: int) -> int:
        """Reads 30 segments of the long flow."""
        start = self._rows.page_start()
        wanted = (_.flow_id == self._rows.flow) & _.start_ns.between(start, start + (PAGE - 1) * STEP)
        with self._session().transaction() as tx:
            table = self._open(tx, SEGMENTS)
            found = table.select(columns=["start_ns", *COLUMNS], predicate=wanted).read_all().to_pylist()
        found.sort(key=lambda row: int(row["start_ns"]))
        return len(found)

    def single(self, client: int) -> int:
        """Adds a segment."""
        return self._insert([self._rows.single(client)])

    def bulk(self, client: int) -> int:
        """Adds many segments at once."""
        return self._insert(self._rows.bulk(client))

    def _insert(self, segments: Sequence[Segment]) -> int:
        with self._session().transaction() as tx:
            table = self._open(tx, SEGMENTS)
            cells = [msgspec.structs.asdict(segment) for segment in segments]
            names = set(SEGMENTS.columns)
            schema = pa.schema([field for field in table.arrow_schema if field.name in names])
            table.insert(pa.RecordBatch.from_pylist(cells, schema=schema))
        return len(segments)

    def _open(self, tx: Transaction, table: AnyTable) -> ITable:
        return tx.bucket(self._place.bucket).schema(self._place.schema).schema(self._name).table(table.name)

    def _session(self) -> Any:  # noqa: ANN401 -- the SDK's session is untyped
        if not hasattr(self._local, "session"):
            place = self._place
            self._local.session = vastdb.connect(
                endpoint=place.endpoint, access=place.access_key, secret=place.secret_key
            )
        return self._local.session
