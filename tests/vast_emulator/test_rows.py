from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from ibis import _
from ibis.expr.types import BooleanValue
from vastdb import errors
from vastdb.config import QueryConfig
from vastdb.session import Session

from tests.vast_emulator.sdk import BUCKET, LOOKUP, create, numbers, table

EVERY_TYPE = pa.schema(
    [
        ("id", pa.int64()),
        ("text", pa.string()),
        ("octets", pa.binary()),
        ("flag", pa.bool_()),
        ("price", pa.decimal128(12, 2)),
        ("day", pa.date32()),
        ("at", pa.timestamp("us")),
        ("half", pa.float32()),
        ("tags", pa.map_(pa.string(), pa.string())),
        ("parts", pa.list_(pa.struct([("a", pa.int32()), ("b", pa.list_(pa.string()))]))),
        ("place", pa.struct([("x", pa.int32()), ("deep", pa.struct([("y", pa.string())]))])),
        pa.field("vector", pa.list_(pa.field("item", pa.int32(), nullable=False), 2)),
    ]
)
FULL: dict[str, object] = {
    "id": 1,
    "text": "größe",
    "octets": b"\x00\xff",
    "flag": True,
    "price": Decimal("-12.34"),
    "day": date(2024, 2, 29),
    "at": datetime(2024, 2, 29, 1, 2, 3, 4),  # noqa: DTZ001 -- the column has no zone
    "half": 0.5,
    "tags": [("k", "v"), ("l", None)],
    "parts": [{"a": 1, "b": ["x", None]}, None, {"a": None, "b": []}],
    "place": {"x": 7, "deep": {"y": "z"}},
    "vector": [1, 2],
}
EMPTY: dict[str, object] = dict.fromkeys(EVERY_TYPE.names) | {"id": 2}
OTHER: dict[str, object] = FULL | {"id": 3, "text": "grau", "tags": [], "parts": [], "place": None, "vector": [1, 3]}


@pytest.mark.parametrize("columns", [EVERY_TYPE.names, ["vector", "id"], ["parts"], ["tags", "place"]])
def test_what_is_inserted_is_read(session: Session, columns: list[str]) -> None:
    create(session, EVERY_TYPE, rows=[FULL, EMPTY, OTHER])
    with session.transaction() as tx:
        found = table(tx).select(columns).read_all()
    assert found == pa.Table.from_pylist([FULL, EMPTY, OTHER], schema=EVERY_TYPE).select(columns)


@pytest.mark.parametrize(
    ("predicate", "ids"),
    [
        (_.id == 1, [1]),
        (_.id != 1, [2, 3]),
        (_.id.between(2, 3), [2, 3]),
        (_.id.isin([1, 2, 3, 4]), [1, 2, 3]),
        (_.text.startswith("gr"), [1, 3]),
        (_.text.contains("öß"), [1]),
        (_.text > "grau", [1]),
        (_.text.isnull(), [2]),
        (~_.text.isnull(), [1, 3]),
        (_.octets == b"\x00\xff", [1, 3]),
        (_.flag == True, [1, 3]),  # noqa: E712 -- a comparison on the server
        (_.day >= date(2024, 2, 29), [1, 3]),
        (_.at < datetime(2024, 2, 29, 1), []),  # noqa: DTZ001 -- the column has no zone
        (_.half == 0.5, [1, 3]),
        (_.place["x"] == 7, [1]),
        (_.place["deep"]["y"] == "z", [1]),
        (_.vector == [1, 3], [3]),
        ((_.id > 1) & (_.text.isnull() | (_.text == "grau")), [2, 3]),
    ],
)
def test_a_predicate_is_answered_by_the_server(session: Session, predicate: BooleanValue, ids: list[int]) -> None:
    create(session, EVERY_TYPE, rows=[FULL, EMPTY, OTHER])
    with session.transaction() as tx:
        assert table(tx).select(["id"], predicate).read_all()["id"].to_pylist() == ids


def test_a_prefix_whose_upper_bound_is_no_text(session: Session) -> None:
    last = "\U0010ffff"
    create(session, rows=[{"id": last, "n": 1}, {"id": f"{last}x", "n": 2}, {"id": "a", "n": 3}])
    with session.transaction() as tx:
        assert table(tx).select(["n"], _.id.startswith(last)).read_all()["n"].to_pylist() == [1, 2]


def test_rows_are_changed_and_deleted_by_their_ids(session: Session) -> None:
    create(session, rows=[{"id": "a", "n": 1}, {"id": "b", "n": 2}, {"id": "c", "n": 3}])
    with session.transaction() as tx:
        rows = table(tx).select(["n"], _.n >= 2, internal_row_id=True).read_all()
        table(tx).update(pa.table({"$row_id": rows["$row_id"][:1], "n": pa.array([20])}))
        table(tx).delete(rows.select(["$row_id"]).slice(1))
        assert sorted(table(tx).select(["n"]).read_all()["n"].to_pylist()) == [1, 20]
    assert numbers(session) == [1, 20]


def test_a_transaction_that_is_rolled_back_leaves_nothing(session: Session) -> None:
    create(session, rows=[{"id": "a", "n": 1}])

    def fail() -> None:
        with session.transaction() as tx:
            table(tx).insert(pa.table({"n": pa.array([2])}))
            assert table(tx).select(["n"]).read_all().num_rows == 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert numbers(session) == [1]


def test_the_second_writer_of_a_row_is_refused_at_the_statement(session: Session) -> None:
    create(session, rows=[{"id": "a", "n": 1}])
    with session.transaction() as first, session.transaction() as second:
        row = table(first).select(["n"], internal_row_id=True).read_all().select(["$row_id"])
        table(first).update(row.append_column("n", [[10]]))
        with pytest.raises(errors.Conflict):
            table(second).update(row.append_column("n", [[20]]))
    assert numbers(session) == [10]


@pytest.mark.parametrize(
    "config",
    [
        LOOKUP,
        QueryConfig(num_splits=3, num_sub_splits=2, num_row_groups_per_sub_split=1),
        QueryConfig(num_splits=1, num_sub_splits=4, limit_rows_per_sub_split=1_000),
        QueryConfig(num_splits=1, num_sub_splits=200),
    ],
)
def test_splits_and_pages_cover_every_row_once(session: Session, config: QueryConfig) -> None:
    create(session, pa.schema([("n", pa.int32())]))
    expected = list(range(150_000))
    with session.transaction() as tx:
        table(tx).insert(pa.table({"n": pa.array(expected, pa.int32())}))
        found = table(tx).select(["n"], config=config).read_all()["n"].to_pylist()
    assert sorted(found) == expected
    if config is LOOKUP:
        assert found == expected


def test_an_empty_projection_counts(session: Session) -> None:
    create(session, rows=[{"id": str(n), "n": n} for n in range(5)])
    with session.transaction() as tx:
        assert table(tx).select([], _.n > 1).read_all().num_rows == 3


def test_a_sorted_table_has_decimal_row_ids(session: Session) -> None:
    with session.transaction() as tx:
        found = (
            tx.bucket(BUCKET).create_schema("s").create_table("t", pa.schema([("n", pa.int64())]), sorting_key=["n"])
        )
        ids = found.insert(pa.table({"n": [3, 1, 2]}))
        assert ids.type == pa.decimal128(38, 0)
        found.delete(found.select(["n"], _.n == 1, internal_row_id=True).read_all().select(["$row_id"]))
        assert found.sorting_done()
    assert numbers(session) == [2, 3]
