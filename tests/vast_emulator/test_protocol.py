import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
import vastdb
from vastdb import errors
from vastdb.session import Session

from tests.vast_emulator.sdk import BUCKET, COLUMNS, connected, create, table
from vast_emulator.engine import EngineOptions
from vast_emulator.message import Call
from vast_emulator.server import REQUEST_BYTES, Emulator, Settings
from vast_emulator.serving import Database, running


@contextmanager
def process(data: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """An emulator as a process of its own, and its address."""
    command = [sys.executable, "-m", "vast_emulator", "--listen", "127.0.0.1:0", "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            yield child, child.stdout.readline().split()[-1]
        finally:
            child.kill()


def status(emulator: Emulator, asked: str, *, body: bytes = b"") -> int:
    """The answer to a request that nobody signed, such as `GET /vastdb`."""
    method, target = asked.split()
    connection = HTTPConnection(urlsplit(emulator.url).netloc, timeout=30)
    try:
        connection.request(method, target, body=body)
        return connection.getresponse().status
    finally:
        connection.close()


def test_another_secret_is_refused(emulator: Emulator) -> None:
    with pytest.raises(errors.Forbidden, match="SignatureDoesNotMatch"), connected(emulator, secret="wrong"):
        pass


def test_another_access_key_is_refused(emulator: Emulator) -> None:
    with pytest.raises(errors.Forbidden, match="InvalidAccessKeyId"):
        vastdb.connect(endpoint=emulator.url, access="nobody", secret="test", timeout=(5, 30))


def test_an_unsigned_request_is_refused(emulator: Emulator) -> None:
    assert status(emulator, "GET /vastdb?schema") == 403


def test_a_body_over_the_limit_is_refused(emulator: Emulator) -> None:
    assert status(emulator, "POST /vastdb/s/t?rows", body=bytes(REQUEST_BYTES + 1)) == 400


def test_a_cell_over_the_limit_is_refused(session: Session) -> None:
    create(session)
    with session.transaction() as tx:
        table(tx).insert(pa.table({"id": ["x" * (128 * 1024)]}))
        with pytest.raises(errors.BadRequest):
            table(tx).insert(pa.table({"id": ["x" * (128 * 1024 + 1)]}))


def test_a_missing_bucket_is_missing(session: Session) -> None:
    with session.transaction() as tx, pytest.raises(errors.MissingBucket):
        tx.bucket("other")


def test_lists_come_in_pages(emulator: Emulator) -> None:
    names = [f"s{n}" for n in range(5)]
    columns = pa.schema([(f"c{n}", pa.int64()) for n in range(5)])
    with connected(emulator, page=2) as session, session.transaction() as tx:
        bucket = tx.bucket(BUCKET)
        for name in names:
            bucket.create_schema(name)
        schema = bucket.schema("s0")
        for name in names:
            schema.create_table(name, columns)
        assert [found.name for found in bucket.schemas()] == names
        assert list(schema.tablenames()) == names
        assert schema.table("s3").arrow_schema.names == columns.names


def test_definitions_change(session: Session) -> None:
    create(session, rows=[{"id": "a", "n": 1}])
    with session.transaction() as tx:
        found = table(tx)
        found.add_column(pa.schema([("m", pa.int32())]))
        found.rename_column("n", "number")
        found.rename("renamed")
        tx.bucket(BUCKET).schema("s").rename("moved")
    with session.transaction() as tx:
        found = tx.bucket(BUCKET).schema("moved").table("renamed")
        assert found.select().read_all().to_pylist() == [{"id": "a", "number": 1, "m": None}]
        found.drop_column(pa.schema([("m", pa.int32())]))
        found.drop()
        tx.bucket(BUCKET).schema("moved").drop()
        assert tx.bucket(BUCKET).schemas() == []


def test_projections_are_listed_renamed_and_dropped(session: Session) -> None:
    create(session, rows=[{"id": "a", "n": 1}])
    with session.transaction() as tx:
        projection = table(tx).create_projection("by_n", sorted_columns=["n"], unsorted_columns=["id"])
        assert [field.name for field in projection.columns()] == ["n", "id"]
        projection.rename("other")
        assert [(found.name, found.stats.num_rows) for found in table(tx).projections()] == [("other", 1)]
        table(tx).projection("other").drop()
        assert list(table(tx).projections()) == []


def test_partitions_and_vector_indexes_are_refused_not_ignored(session: Session) -> None:
    partitioned = COLUMNS.with_metadata({"VAST:table:partition-key-0": "{}"})
    with session.transaction() as tx:
        schema = tx.bucket(BUCKET).create_schema("s")
        with pytest.raises(errors.NotImplemented):
            schema.create_table("t", partitioned)


@pytest.mark.parametrize("version", ["5.4", "5.5"])
def test_each_version_shows_the_sorting_key_its_way(version: str) -> None:
    with running(Settings(version=version)) as emulator, connected(emulator) as session:
        assert session.api.vast_version[:2] == tuple(map(int, version.split(".")))
        with session.transaction() as tx:
            found = tx.bucket(BUCKET).create_schema("s").create_table("t", COLUMNS, sorting_key=["n"])
            with pytest.warns(DeprecationWarning, match="sorted_columns"):
                assert [field.name for field in found.sorted_columns()] == ["n"]


def test_an_idle_transaction_ends() -> None:
    now = [0.0]
    database = Database(options=EngineOptions(idle_timeout=60, clock=lambda: now[0]))
    with running(database=database) as emulator, connected(emulator) as session:
        create(session)
        txid = int(session.api.begin_transaction().headers["tabular-txid"])
        now[0] += 50
        session.api.get_transaction(txid)
        now[0] += 50
        session.api.create_schema(BUCKET, "lost", txid=txid)
        now[0] += 61
        with pytest.raises(errors.NotFound):
            session.api.commit_transaction(txid)
        assert [name for name, _ in session.api.list_schemas(BUCKET)[1]] == ["s"]


def test_a_commit_outlives_a_killed_process(tmp_path: Path) -> None:
    with process(tmp_path) as (child, url):
        with vastdb.connect(endpoint=url, access="test", secret="test", timeout=(5, 30)).api as api:
            txid = int(api.begin_transaction().headers["tabular-txid"])
            api.create_schema(BUCKET, "kept", txid=txid)
            api.commit_transaction(txid)
            lost = int(api.begin_transaction().headers["tabular-txid"])
            api.create_schema(BUCKET, "lost", txid=lost)
        child.kill()
        child.wait()
    with process(tmp_path) as (_, url), vastdb.connect(endpoint=url, access="test", secret="test").api as api:
        assert [name for name, _ in api.list_schemas(BUCKET)[1]] == ["kept"]


@pytest.mark.parametrize(
    ("target", "kind", "path"),
    [
        ("/", "GET", ()),
        ("/b?schema", "GET schema", ("b",)),
        ("/b/a%20b/c/t?table&tabular-new-table-name=a%2Fb", "GET table", ("b", "a b", "c", "t")),
        ("/b?delimiter=%2F&list_type=2", "GET list_type", ("b",)),
    ],
)
def test_a_target_is_a_path_and_a_command(target: str, kind: str, path: tuple[str, ...]) -> None:
    call = Call.parse("GET", target, headers={})
    assert (call.kind, call.path) == (kind, path)
