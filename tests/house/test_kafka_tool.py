"""How `make kafka` and the tests come to a broker: in a container, else on Java, else not at all, and they say why."""

import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import kafka, kafka_runners
from tools.kafka import Broker
from tools.kafka_runners import HINT, VERSION, CannotRun

DOCKER = """#!/bin/sh
echo "$@" >> "$0.log"
case $1 in
create) if [ -e "$0.no-image" ]; then echo "pull access denied" >&2; exit 1; fi; echo abc123 ;;
start) echo "Kafka Server started"; while [ ! -e "$0.ended" ]; do sleep 0.02; done; rm "$0.ended" ;;
pause) if [ -e "$0.cannot-pause" ]; then echo "no freezer" >&2; exit 1; fi ;;
stop|kill|rm) touch "$0.ended" ;;
esac
"""
JAVA = """#!/bin/sh
case "$*" in
-version) echo 'openjdk version "{version}" 2025-04-15' >&2 ;;
*StorageTool*) ;;
*) echo "Kafka Server started"; exec sleep 600 ;;
esac
"""


class Machine:
    """A machine with the programs of `bin` beside those of any system; `cache` has Kafka's jars."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bin, cache = root / "bin", root / "cache"
        self.data = root / "data"
        self.bin.mkdir()
        (cache / "tams" / f"kafka-{VERSION}").mkdir(parents=True)
        for program in ("sleep", "rm", "touch"):
            (self.bin / program).symlink_to(str(shutil.which(program)))
        monkeypatch.setenv("PATH", str(self.bin))
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))

    def install(self, program: str, text: str) -> None:
        """Puts a program there."""
        path = self.bin / program
        path.write_text(text)
        path.chmod(0o755)

    def note(self, name: str) -> None:
        """Tells the fake `docker` how to behave."""
        (self.bin / f"docker.{name}").touch()

    def told(self) -> list[str]:
        """What `docker` was told, but for the ports and paths of `create`."""
        lines = (self.bin / "docker.log").read_text().splitlines()
        return [line.split()[0] if line.startswith("create") else line for line in lines]


@pytest.fixture(autouse=True)
def _sigterm() -> Iterator[None]:
    """`main` changes what SIGTERM does to its process, which here goes on with other tests."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_a_container_is_made_frozen_killed_started_again_and_removed(machine: Machine) -> None:
    machine.install("docker", DOCKER)
    broker = Broker(machine.data)
    broker.start()
    broker.freeze()
    broker.thaw()
    broker.kill()
    broker.start()
    broker.remove()
    start = "start --attach abc123"
    first = ["info", "create", start, "pause abc123", "unpause abc123", "kill abc123"]
    assert machine.told() == [*first, start, "rm --force --volumes abc123"]


def test_a_container_that_cannot_be_frozen_is_no_frozen_broker(machine: Machine) -> None:
    machine.install("docker", DOCKER)
    machine.note("cannot-pause")
    broker = Broker(machine.data)
    broker.start()
    with pytest.raises(kafka_runners.Failed, match="docker pause failed: no freezer"):
        broker.freeze()
    broker.remove()


def test_where_docker_has_no_image_java_runs_it_and_goes_on_to(machine: Machine) -> None:
    machine.install("docker", DOCKER)
    machine.install("java", JAVA.format(version="17.0.15"))
    machine.note("no-image")
    first = Broker(machine.data, extra={"listeners.OTHER": "PLAINTEXT"})
    first.start()
    first.freeze()
    first.thaw()
    first.stop()
    (machine.bin / "docker.no-image").unlink()
    again = Broker(machine.data)
    again.start()
    again.remove()
    assert machine.told() == ["info", "create"]
    assert again.ports == first.ports
    assert list(first.ports) == ["PLAINTEXT", "OTHER"]


@pytest.mark.parametrize(
    ("version", "fits"), [("1.8.0_402", False), ("11.0.22", False), ("17", True), ("21.0.2", True), ("nonsense", False)]
)
def test_an_old_java_is_none(machine: Machine, version: str, fits: bool) -> None:
    machine.install("java", JAVA.format(version=version))
    broker = Broker(machine.data)
    if fits:
        broker.start()
        broker.remove()
        return
    with pytest.raises(CannotRun, match=f"{version}.*needs 17 or later"):
        broker.start()
    assert not (machine.data / "server.properties").exists()


def test_it_says_all_that_is_missing_and_what_would_help(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.install("docker", DOCKER)
    machine.note("no-image")
    assert kafka.main(["--data", str(machine.data)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(
        f"kafka: docker create apache/kafka:{VERSION} failed: pull access denied; there is no `java`"
    )
    assert said.endswith(f"{HINT}\n")


@pytest.mark.parametrize("ci", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_tests_without_a_broker_are_skipped_and_fail_in_ci(
    machine: Machine, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, *, fails: bool, ci: bool
) -> None:
    if fails:
        machine.install("java", JAVA.format(version="17").replace("exec sleep 600", "").replace("Server started", "no"))
    monkeypatch.setenv("CI", "true" if ci else "")
    monkeypatch.delenv("TAMS_TEST_KAFKA", raising=False)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    pytester.makepyfile("def test_one(kafka): ...\ndef test_two(kafka): ...")
    result = pytester.runpytest_subprocess("-p", "tests.kafka", "-rs")
    assert result.parseoutcomes() == ({"errors": 2} if ci else {"skipped": 2})
    reason = "the broker ended at its start" if fails else HINT.partition("(")[0]
    assert reason in result.stdout.str().replace("\n", " ")


def test_a_second_one_on_a_folder_leaves_the_first_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as first:
        place = f"127.0.0.1:{first.getsockname()[1]}"
        (tmp_path / "server.properties").write_text(f"advertised.listeners=PLAINTEXT://{place}\n")
        assert kafka.main(["--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"kafka: {place} is in use: is it running on this folder already?\n"
    assert [path.name for path in tmp_path.iterdir()] == ["server.properties"]
