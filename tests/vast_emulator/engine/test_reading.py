"""What queries touch, in which order they answer, and how they go on."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from tests.vast_emulator.engine.world import TABLE, compare, database, delete, insert, refused, rows, update
from vast_emulator.engine import Engine, EngineOptions
from vast_emulator.engine.port import FINISHED, ROW_ID, Page, ProjectionColumn, Selection, Split
from vast_emulator.engine.predicate import AllOf, AnyOf, Compare, Condition, Contains, IsIn, IsNull, Ref

ROWS = 20_000
GROUP = 1000


@pytest.fixture
def large() -> Iterator[Engine]:
    """20,000 rows sorted by s (10 values) and k, inserted in another order, in groups of 1,000."""
    engine = database(options=EngineOptions(group_rows=GROUP), sort_key=(1, 0))
    for start in range(0, ROWS, 4000):
        keys = [(number * 7919) % ROWS for number in range(start, start + 4000)]
        insert(engine, {"k": keys, "s": [f"flow{key % 10}" for key in keys], "n": keys})
    yield engine
    engine.close()


def select(engine: Engine, selection: Selection) -> list[Page]:
    with engine.using(0) as tx:
        return list(tx.select(TABLE, selection))


def groups_read(engine: Engine, where: Condition) -> tuple[int, list[object]]:
    before = engine.stats().groups_read
    (page,) = select(engine, Selection(("k",), where=where))
    return engine.stats().groups_read - before, sorted(page.rows.column(0).to_pylist())


def test_a_lookup_by_the_sort_key_reads_one_group(large: Engine) -> None:
    where = AllOf((compare("s", equal="flow3"), compare("k", equal=9003)))
    assert groups_read(large, where) == (1, [9003])


def test_a_narrow_range_within_one_first_key_reads_few_groups(large: Engine) -> None:
    where = AllOf((compare("s", equal="flow3"), compare("k", greater_equal=9000), compare("k", less=9100)))
    read, found = groups_read(large, where)
    assert found == list(range(9003, 9100, 10))
    assert read <= 2


def test_a_list_of_keys_reads_only_their_groups(large: Engine) -> None:
    where = AllOf((IsIn(Ref("s"), pa.array(["flow1", "flow8"])), compare("k", less=30)))
    read, found = groups_read(large, where)
    assert found == [1, 8, 11, 18, 21, 28]
    assert read <= 4


def test_equalities_joined_by_or_are_such_a_list(large: Engine) -> None:
    either = AnyOf((compare("s", equal="flow1"), compare("s", equal="flow8")))
    read, found = groups_read(large, AllOf((either, compare("k", less=30))))
    assert found == [1, 8, 11, 18, 21, 28]
    assert read <= 4


def test_rows_by_id_read_their_group_in_a_plain_table() -> None:
    engine = database(options=EngineOptions(group_rows=GROUP))
    ids = insert(engine, {"k": range(5000)})
    assert groups_read(engine, compare(ROW_ID, equal=ids[4321])) == (1, [4321])
    assert groups_read(engine, compare("k", greater_equal=4990)) == (1, list(range(4990, 5000)))
    engine.close()


def test_changes_keep_the_order_that_lookups_rely_on(large: Engine) -> None:
    where = AllOf((compare("s", equal="flow3"), compare("k", less=100)))
    victims = [row for row, (k,) in rows(large, where, columns=("k",)).items() if k != 53]
    delete(large, victims)
    for number in range(200):
        insert(large, {"k": [number], "s": ["flow3"], "n": [-1]})
    (row,) = rows(large, AllOf((compare("s", equal="flow3"), compare("k", equal=53), compare("n", equal=53))))
    update(large, [row], n=[7])
    read, found = groups_read(large, where)
    assert found == sorted([*range(100), 53])
    assert read <= 2


def test_a_projection_answers_in_its_own_order_and_reads_little(large: Engine) -> None:
    columns = [ProjectionColumn("n", True), ProjectionColumn("k", False)]
    with large.using(0) as tx:
        tx.create_projection(TABLE, "by_n", columns=columns)
    where = compare("n", less=5)
    before = large.stats().groups_read
    (page,) = select(large, Selection(("n", "k"), where=where, projection="by_n"))
    assert page.rows.column(0).to_pylist() == [0, 1, 2, 3, 4]
    assert large.stats().groups_read - before == 1
    (first,) = select(large, Selection(("n",), where=where, projection="by_n", limit=3))
    split = Split(starts=((0, first.next_row),))
    (second,) = select(large, Selection(("n",), where=where, projection="by_n", limit=3, split=split))
    assert [*first.rows.column(0).to_pylist(), *second.rows.column(0).to_pylist()] == [0, 1, 2, 3, 4]
    assert second.next_row == FINISHED
    with refused(400):
        select(large, Selection(("s",), projection="by_n"))


def test_splits_and_sub_splits_share_the_rows_without_overlap() -> None:
    engine = database()
    count = 3 * 65536 + 10
    insert(engine, {"k": range(count)})
    found: list[object] = []
    for split in range(2):
        starts = tuple((number, 0) for number in range(2))
        pages = select(engine, Selection(("k",), split=Split(split, 2, row_groups=1, sub_splits=2, starts=starts)))
        assert [page.sub_split for page in pages] == [0, 1]
        found += [key for page in pages for key in page.rows.column(0).to_pylist()]
    assert sorted(found) == list(range(count))  # type: ignore[type-var]
    engine.close()


def test_a_sub_split_without_rows_answers_an_empty_page_and_a_finished_one_nothing() -> None:
    engine = database()
    insert(engine, {"k": [1]})
    split = Split(sub_splits=3, starts=((0, FINISHED), (1, 0)))
    (page,) = select(engine, Selection((), split=split))
    assert (page.sub_split, page.rows.num_rows, page.next_row) == (1, 0, FINISHED)
    (page,) = select(engine, Selection(()))
    assert (page.rows.num_rows, page.rows.num_columns) == (1, 0)
    engine.close()


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (compare("k", not_equal=1), [2, 3]),
        (Compare(Ref("s"), "greater_equal", pa.scalar(b"b", pa.binary())), [2, 3]),
        (Contains(Ref("s"), b"b"), [1, 2]),
        (IsNull(Ref("s")), [4]),
        (IsNull(Ref("s"), negate=True), [1, 2, 3]),
        (AnyOf((Contains(Ref("s"), b"c"), IsNull(Ref("s")))), [3, 4]),
        (AnyOf((compare("k", less=2), compare("k", greater=2))), [1, 3]),
        (IsIn(Ref("k"), pa.array([1, 3, 9])), [1, 3]),
        (AllOf((IsNull(Ref("k")), compare("n", equal=4))), [4]),
    ],
)
@pytest.mark.parametrize("sort_key", [(), (1,), (0, 1)])
def test_conditions(where: Condition, expected: list[int], sort_key: tuple[int, ...]) -> None:
    engine = database(sort_key=sort_key)
    insert(engine, {"k": [1, 2, 3, None], "s": ["ab", "b", "c", None], "n": [1, 2, 3, 4]})
    assert sorted(n for (n,) in rows(engine, where, columns=("n",)).values() if isinstance(n, int)) == expected
    engine.close()


def test_nested_columns_and_vectors_are_kept_and_compared() -> None:
    vector = pa.list_(pa.field("item", pa.float32(), nullable=False), 2)
    schema = pa.schema(
        [
            ("x", pa.struct([("a", pa.int8()), ("b", pa.string())])),
            ("v", vector),
            ("m", pa.map_(pa.string(), pa.int8())),
        ]
    )
    engine = database(schema=schema)
    batch = pa.record_batch(
        [
            pa.array([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, None], schema.field("x").type),
            pa.array([[1, 2], [3, 4], None], vector),
            pa.array([[("p", 1)], [], None], schema.field("m").type),
        ],
        schema=schema,
    )
    with engine.using(0) as tx:
        tx.insert(TABLE, batch)
    (page,) = select(engine, Selection(("x", "v", "m"), where=Compare(Ref("x", (1,)), "equal", pa.scalar("y"))))
    assert page.rows.to_pylist() == batch.slice(1, 1).to_pylist()
    (page,) = select(engine, Selection(("x",), where=Compare(Ref("v"), "equal", pa.scalar([1.0, 2.0], vector))))
    assert page.rows.to_pylist() == [{"x": {"a": 1, "b": "x"}}]
    engine.close()


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        (pa.float16(), 1.5, 2.5),
        (pa.float64(), -1.5, float("inf")),
        (pa.bool_(), False, True),
        (pa.uint64(), 1, (1 << 64) - 1),
        (pa.decimal128(38, 2), Decimal("-1.25"), Decimal("9" * 36)),
        (pa.date32(), date(1969, 1, 1), date(2024, 2, 29)),
        (pa.time64("ns"), time(1), time(2)),
        (pa.timestamp("us", "UTC"), datetime(1969, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)),
        (pa.binary(), b"\x00", b"\xff\xff"),
    ],
    ids=str,
)
def test_every_type_is_compared_and_sorted(tmp_path: Path, kind: pa.DataType, low: object, high: object) -> None:
    schema = pa.schema([("x", kind), ("n", pa.int64())])
    sort_key = () if pa.types.is_float16(kind) else (0,)
    engine = database(tmp_path / "db", options=EngineOptions(group_rows=2), sort_key=sort_key, schema=schema)
    cells = pa.array([high, None, low, low], kind)
    with engine.using(0) as tx:
        tx.insert(TABLE, pa.record_batch([cells, pa.array([1, 2, 3, 4])], schema=schema))
    engine.close()
    engine = Engine(tmp_path / "db")
    conditions = {"equal": [3, 4], "less_equal": [3, 4], "greater": [1], "not_equal": [1]}
    for operator, expected in conditions.items():
        where = Compare(Ref("x"), operator, cells[2])  # type: ignore[arg-type]
        (page,) = select(engine, Selection(("n",), where=where))
        assert sorted(page.rows.column(0).to_pylist()) == expected
    (page,) = select(engine, Selection(("n",), where=IsIn(Ref("x"), cells.slice(0, 1))))
    assert page.rows.column(0).to_pylist() == [1]
    engine.close()


def test_a_query_for_what_is_not_there_is_refused(large: Engine) -> None:
    for selection in (Selection(("nothing",)), Selection(("k",), where=IsNull(Ref("nothing")))):
        with refused(404):
            select(large, selection)
    with refused(400):
        select(large, Selection(("k",), where=Compare(Ref("k"), "equal", pa.scalar("text"))))
    with refused(404):
        select(large, Selection(("k",), projection="none"))
