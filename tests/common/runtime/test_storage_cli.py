"""`tams storage` on a directory and on a real S3 store: what an operator types and reads."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from tams_common.objects.local import LocalObjects
from tams_common.objects.local.store import ONLY
from tams_common.objects.port import Owner
from tams_common.runtime.cli import main
from tams_segments.identity import settle_id
from tams_segments.tables import TABLES
from tests import seaweed
from tests.stores import make_store
from tools.seaweed import write_storage_file


def storage(*words: str, objects: str, store: str = "sqlite::memory:", status: int = 0) -> list[str]:
    """The lines that `tams storage WORDS…` prints."""
    result = CliRunner().invoke(main, ["storage", *words, "--objects", objects], env={"TAMS_STORE_URL": store})
    assert result.exit_code == status, result.output
    return [line.rstrip() for line in result.output.splitlines()]


def test_a_directory_is_ready_by_itself(tmp_path: Path) -> None:
    objects = f"local:{tmp_path / 'media'}"
    titles, line = storage("init", objects=objects)
    assert titles.split() == ["backend", "id", "default", "place", "state"]
    assert line.startswith("local ")
    assert line.endswith(" ready")
    assert storage("status", objects=objects) == [titles, line]


def test_whose_mark_a_place_bears_is_shown_where_the_tables_cannot_be_read(tmp_path: Path) -> None:
    for backend, said in ((ONLY.id, "store a"), ("b", "store a as backend b")):
        asyncio.run(mark(tmp_path / "media", Owner("a", backend)))
        unknown, titles, line = storage("status", objects=f"local:{tmp_path / 'media'}")
        assert "cannot be told: tables are not migrated" in unknown
        assert titles.endswith("  marked by")
        assert line.endswith(f"  {said}")


@pytest.mark.parametrize(
    ("store", "owner", "said"),
    [
        ("ours", Owner("ours", ONLY.id), "this store"),
        ("ours", Owner("ours", "b"), "backend b of this store"),
        ("ours", Owner("theirs", ONLY.id), "another store (theirs; this one is ours)"),
        (None, Owner("theirs", ONLY.id), "another store (theirs; this one is yet to be started)"),
    ],
)
def test_a_mark_that_is_not_this_stores_is_wrong(tmp_path: Path, store: str | None, owner: Owner, said: str) -> None:
    asyncio.run(mark(tmp_path / "media", owner))
    asyncio.run(make_tables(tmp_path / "tables", store))
    is_ours = said == "this store"
    _, line, *error = storage(
        "status",
        objects=f"local:{tmp_path / 'media'}",
        store=f"sqlite:{tmp_path / 'tables'}",
        status=0 if is_ours else 1,
    )
    assert line.endswith(f"  {said}")
    assert error == ([] if is_ours else ["Error: these backends bear a mark that is not this store's for them: local"])


async def mark(media: Path, owner: Owner) -> None:
    """Leaves a mark in place of another one."""
    (media / "owner.json").unlink(missing_ok=True)
    objects = LocalObjects(media, url_lifetime=300)
    await objects.open()
    await objects.mark(owner)


async def make_tables(directory: Path, store_id: str | None) -> None:
    """The tables of a store that has been started, or not yet."""
    store = make_store(directory, "segments", tables=TABLES)
    await store.open()
    await store.migrate()
    if store_id is not None:
        await store.run(lambda tx: settle_id(tx, lambda: store_id))
    await store.close()


def test_buckets_are_made_and_opened_to_browsers_once(tmp_path: Path) -> None:
    server, path = seaweed.server(), tmp_path / "storage.toml"
    one, two = seaweed.new_bucket(), seaweed.new_bucket()
    local = {"kind": "local", "id": "5c4d9b0e-6d5b-4a0a-9f25-0f0c5e4f1b7a", "label": "here", "directory": str(tmp_path)}
    write_storage_file(
        path,
        local,
        server.backend(one, label="hot", default=True),
        server.backend(two, label="cold", cors_origins=[]),
    )
    objects = f"s3:{path}"
    *absent, error = storage("init", objects=objects, status=1)
    assert error == "Error: these backends cannot be used: hot, cold"
    assert [line.split()[0] for line in absent[1:]] == ["hot", "here", "cold"]
    made = storage("init", "--create", objects=objects)
    assert made[0].split() == ["backend", "id", "default", "place", "state", "browsers"]
    assert made[1].split()[2:] == ["yes", "bucket", one, "at", server.endpoint, "created", "applied"]
    assert made[3].split()[2:] == ["bucket", two, "at", server.endpoint, "created"]
    again = storage("init", "--create", objects=objects)
    assert again[1].split()[-2:] == ["ready", "ready"]
    assert again == storage("status", objects=objects)


def test_a_store_that_is_down_is_said_in_its_line(tmp_path: Path) -> None:
    path = tmp_path / "storage.toml"
    write_storage_file(path, seaweed.server().backend("media", label="hot", endpoint="http://127.0.0.1:1", attempts=1))
    for words in (["init", "--create"], ["status"]):
        lines = storage(*words, objects=f"s3:{path}", status=1)
        assert "does not answer" in lines[1]
        assert lines[-1] == "Error: these backends cannot be used: hot"


def test_wrong_declarations_are_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "storage.toml"
    path.write_text("[[backend]]\nkind = 's3'\n")
    (line,) = storage("status", objects=f"s3:{path}", status=1)
    assert line.startswith(f"Error: storage file {path}, backend 1: key bucket: ")
    (line,) = storage("status", objects="gs:media", status=1)
    assert line.endswith("expected local:DIRECTORY or s3:FILE.toml")
    keys = {"credentials": "environment:NOWHERE"}
    write_storage_file(path, seaweed.server().backend("media", label="hot") | keys)
    assert "the environment has no NOWHERE_ACCESS_KEY_ID" in storage("status", objects=f"s3:{path}", status=1)[1]
