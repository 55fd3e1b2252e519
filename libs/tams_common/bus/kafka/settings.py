"""What `kafka://HOST:PORT,…?NAME=VALUE&…` says: where the cluster is, and how it differs from Apache Kafka."""

import re
from typing import Final, Literal
from urllib.parse import parse_qsl

import msgspec

from tams_common.errors import StartRefused

_KEY: Final = "configuration key TAMS_BUS_URL"
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")
_USUAL_PORT: Final = ":9092"
_MOST_SECONDS: Final = 3600.0
_LEAST_BATCH: Final = 128 * 1024
"""Bytes: an event of a flow or source, its headers and what stands around them must fit."""

Compression = Literal["none", "gzip", "snappy", "lz4", "zstd"]
Mechanism = Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the cluster at `hosts` is used. The names of these fields are those of the URL's parameters.

    prefix: put before the name of every topic and group, where several stores share a cluster.
    timeout: seconds that anything may take before the bus counts as unavailable.
    session: seconds after which a member of a group that fell silent loses its place.
    idempotence: the broker drops what is sent twice. Ours are known by their ids, so nothing depends on it.
    compression: of what is sent; what is read may have any that is installed.
    batch_bytes: of one request's records of a partition, at most.
    pace: seconds between looks for new records, for brokers that answer at once instead of waiting; 0: they wait.
    create_topics: whether topics are created at the start; without it they must be there.
    replication: copies of each topic that is created; 0: three, or as many as there are brokers.
    tls: encrypted connections. ca_file: whom to trust instead of the system's authorities (PEM).
    certificate_file, key_file: who we are, where the cluster asks for a certificate (PEM).
    mechanism, username, password_file: SASL; the password stands in a file, read at every connection.
    """

    hosts: tuple[str, ...]
    prefix: str = ""
    timeout: float = 10.0
    session: float = 10.0
    idempotence: bool = False
    compression: Compression = "none"
    batch_bytes: int = 512 * 1024
    pace: float = 0.0
    create_topics: bool = True
    replication: int = 0
    tls: bool = False
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    mechanism: Mechanism = ""
    username: str = ""
    password_file: str = ""

    def __post_init__(self) -> None:
        for name in ("timeout", "session"):
            if not 0.1 <= getattr(self, name) <= _MOST_SECONDS:
                raise ValueError(f"{name} must lie between 0.1 and {_MOST_SECONDS:.0f} seconds")
        if not 0 <= self.pace <= 60:
            raise ValueError("pace must lie between 0 and 60 seconds")
        if not _LEAST_BATCH <= self.batch_bytes <= 64 * 1024 * 1024:
            raise ValueError(f"batch_bytes must lie between {_LEAST_BATCH} and 67108864")
        if not 0 <= self.replication <= 100:
            raise ValueError("replication must lie between 0 and 100")
        if not re.fullmatch(r"[A-Za-z0-9._-]{0,100}", self.prefix):
            raise ValueError("prefix may consist of letters, digits, dots, hyphens and underscores")
        if bool(self.mechanism) != bool(self.username) or bool(self.username) != bool(self.password_file):
            raise ValueError("mechanism, username and password_file go together")
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("certificate_file and key_file go together")
        if (self.ca_file or self.certificate_file) and not self.tls:
            raise ValueError("ca_file and certificate_file need tls=true")


def settings_of(url: str) -> KafkaSettings:
    """Reads a bus URL; raises `StartRefused` that names what is wrong, and never repeats what may be a secret."""
    place, _, query = url.removeprefix("kafka:").removeprefix("//").partition("?")
    hosts = tuple(host if _HOST.fullmatch(host) else "" for host in place.removesuffix("/").split(","))
    if not all(hosts):
        raise StartRefused(f"{_KEY}: expected kafka://HOST:PORT,…?NAME=VALUE&…; a password belongs into password_file")
    values = dict(parse_qsl(query, keep_blank_values=True))
    known = [name for name in KafkaSettings.__struct_fields__ if name != "hosts"]
    for name in values:
        if name not in known:
            raise StartRefused(f"{_KEY}: there is no setting {name!r}; there are: {', '.join(known)}")
    complete = tuple(host if re.search(r":\d+$", host) else host + _USUAL_PORT for host in hosts)
    try:
        return msgspec.convert({**values, "hosts": complete}, KafkaSettings, strict=False)
    except msgspec.ValidationError as error:
        raise StartRefused(f"{_KEY}: {error}") from None
