"""What `make kafka` says where it cannot run."""

from pathlib import Path

import pytest

from tools import kafka, kafka_runners


def test_it_names_the_program_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert not kafka_runners.docker_answers()
    with pytest.raises(kafka_runners.CannotRun, match="neither a Docker engine nor `java`"):
        kafka_runners.jars()


def test_it_fails_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert kafka.main(["--data", str(tmp_path / "data")]) == 1
    assert capsys.readouterr().err.startswith("kafka: there is neither a Docker engine nor")


def test_ports_are_apart_and_free() -> None:
    ports = kafka.free_ports(5)
    assert len(set(ports)) == 5
    assert all(kafka.is_free(port) for port in ports)
