"""What the URL of a Kafka bus may say, and how a wrong one names itself."""

import builtins
import sys
from pathlib import Path

import pytest

from tams_common.bus.kafka import KafkaBus, KafkaSettings, settings_of
from tams_common.bus.kafka.link import Link
from tams_common.errors import StartRefused
from tams_common.runtime.wiring import make_bus
from tests.kafka import Kafka


def test_hosts_alone_suit_apache_kafka() -> None:
    assert settings_of("kafka://a:1,b.example,[::1]:3") == KafkaSettings(hosts=("a:1", "b.example:9092", "[::1]:3"))


def test_every_setting_can_be_given() -> None:
    given = settings_of(
        "kafka://a:1/?prefix=x.&timeout=3&session=6.5&idempotence=true&compression=gzip&batch_bytes=200000&pace=0.1"
        "&create_topics=false&replication=2&tls=true&ca_file=/ca&certificate_file=/c&key_file=/k"
        "&mechanism=SCRAM-SHA-512&username=u&password_file=/p"
    )
    assert given == KafkaSettings(
        hosts=("a:1",),
        prefix="x.",
        timeout=3.0,
        session=6.5,
        idempotence=True,
        compression="gzip",
        batch_bytes=200000,
        pace=0.1,
        create_topics=False,
        replication=2,
        tls=True,
        ca_file="/ca",
        certificate_file="/c",
        key_file="/k",
        mechanism="SCRAM-SHA-512",
        username="u",
        password_file="/p",
    )


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("kafka://a?acks=1", "'acks'"),
        ("kafka://a?hosts=b", "'hosts'"),
        ("kafka://a?timeout=soon", "timeout"),
        ("kafka://a?timeout=0", "timeout"),
        ("kafka://a?timeout=nan", "timeout"),
        ("kafka://a?session=1e9", "session"),
        ("kafka://a?pace=-1", "pace"),
        ("kafka://a?batch_bytes=1000", "batch_bytes"),
        ("kafka://a?replication=-1", "replication"),
        ("kafka://a?compression=rar", "compression"),
        ("kafka://a?idempotence=perhaps", "idempotence"),
        ("kafka://a?prefix=a b", "prefix"),
        ("kafka://a?username=u", "password_file"),
        ("kafka://a?tls=true&key_file=/k", "certificate_file"),
        ("kafka://a?ca_file=/ca", "tls"),
        ("kafka://", "HOST:PORT"),
        ("kafka://a,,b", "HOST:PORT"),
        ("kafka://a:b:c", "HOST:PORT"),
        ("kafka://a/topic", "HOST:PORT"),
    ],
)
def test_a_wrong_url_names_what_is_wrong(url: str, text: str) -> None:
    with pytest.raises(StartRefused, match="TAMS_BUS_URL") as refused:
        settings_of(url)
    assert text in refused.value.detail


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(StartRefused, match="password_file") as refused:
        settings_of("kafka://tams:geheim@a:9092")
    assert "geheim" not in refused.value.detail


def test_the_password_comes_out_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("correct horse\n")
    url = f"kafka://a?mechanism=PLAIN&username=u&password_file={path}"
    link = Link(settings_of(url))
    assert link.arguments()["sasl_plain_password"] == "correct horse"
    path.unlink()
    with pytest.raises(StartRefused, match="password_file"):
        link.arguments()


def test_files_that_are_no_certificates_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("no certificate")
    with pytest.raises(StartRefused, match="certificates"):
        Link(settings_of(f"kafka://a?tls=true&ca_file={tmp_path / 'ca'}")).arguments()


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("tams_common.bus.kafka", "aiokafka"))]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name.startswith("aiokafka"):
            raise ModuleNotFoundError(f"No module named {name!r}", name="aiokafka")
        return real(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(StartRefused, match=r"tams-common\[kafka\]"):
        make_bus("kafka://a")


async def test_a_compression_that_is_not_installed_stops_the_start(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiokafka.codec.cramjam", None)
    with pytest.raises(StartRefused, match="compression=zstd"):
        await KafkaBus(settings_of(kafka.url(compression="zstd"))).open()
