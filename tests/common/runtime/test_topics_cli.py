"""`tams topics` on the embedded bus and on Kafka: what an operator types and reads."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from tams_common.runtime.cli import main
from tests.kafka import Kafka, new_prefix

OURS = ["tams.flows", "tams.sources", "tams.segments", "tams.catalog.dead", "tams.segments.dead", "tams.webhooks.dead"]


def topics(verb: str, bus: str, *, status: int = 0) -> list[str]:
    """The lines that `tams topics VERB` prints."""
    result = CliRunner().invoke(main, ["topics", verb, "--bus", bus])
    assert result.exit_code == status, result.output
    return [line.rstrip() for line in result.output.splitlines()]


def cells(lines: list[str]) -> dict[str, list[str]]:
    """The words behind each topic."""
    return {line.split()[0]: line.split()[1:] for line in lines[1:]}


def test_the_embedded_bus_has_one_partition_of_each(tmp_path: Path) -> None:
    bus = f"sqlite:{tmp_path}"
    assert cells(topics("status", bus)) == {name: ["absent"] for name in OURS}
    made = topics("apply", bus)
    assert made[0].split() == ["topic", "partitions", "kept", "cleanup", "copies", "drift"]
    assert cells(made)["tams.flows"] == ["1", "168", "h", "delete", "1", "none"]
    assert cells(made)["tams.webhooks.dead"] == ["1", "for", "ever", "delete", "1", "none"]
    assert topics("apply", bus) == made == topics("status", bus)


def test_on_kafka_they_are_made_once(kafka: Kafka) -> None:
    bus = kafka.url(prefix=new_prefix())
    assert cells(topics("status", bus)) == {name: ["absent"] for name in OURS}
    made = topics("apply", bus)
    assert [cells(made)[name][:4] for name in OURS[:3]] == [["12", "168", "h", "delete"]] * 3
    assert [cells(made)[name][:4] for name in OURS[3:]] == [["1", "for", "ever", "delete"]] * 3
    assert topics("apply", bus) == made == topics("status", bus)


@pytest.mark.parametrize(
    ("bus", "text"),
    [
        ("kafka://127.0.0.1:1?timeout=1", "Kafka at 127.0.0.1:1"),
        ("kafka://127.0.0.1:1?acks=1", "no setting 'acks'"),
        ("rabbit://127.0.0.1", "no bus is known for rabbit"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(bus: str, text: str) -> None:
    *_, line = topics("status", bus, status=1)
    assert line.startswith("Error: ")
    assert text in line
