"""The Kafka broker of the tests: one for the whole run, started when the first test asks for it.

`TAMS_TEST_KAFKA=HOST:PORT?NAME=VALUE&…` names one that is there instead, with the settings that it needs; it is not
killed, and what would do that is skipped.
"""

import asyncio
import atexit
import functools
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tams_common.bus import Message, Topic
from tams_common.bus.kafka import KafkaBus, settings_of
from tams_common.errors import Unavailable
from tests.common.eventually import eventually
from tools.kafka import Broker
from tools.kafka_runners import CannotRun, Failed

GIVEN, _, _settings = os.environ.get("TAMS_TEST_KAFKA", "").partition("?")
NEEDED = dict(parse_qsl(_settings))
PROBE = Topic("probe", partitions=1, retention_hours=1)
USER, PASSWORD = "tams", "correct horse"


class Kafka:
    """A broker at `address`; `own` is the one that we may kill, None where it is not ours."""

    def __init__(self, address: str, own: Broker | None = None, *, authority: Path | None = None) -> None:
        self.address = address
        self._own = own
        self._authority = authority

    def url(self, **settings: object) -> str:
        """As in `TAMS_BUS_URL`, impatient unless `settings` say otherwise."""
        return _url(self.address, settings)

    def secure_url(self, **settings: object) -> str:
        """As `url`, at the listener with TLS, whose authority's certificate it names, and SASL."""
        return _url(f"localhost:{self.own.ports['SECURE']}", {"tls": "true", "ca_file": self._authority} | settings)

    async def make(self, prefix: str, *topics: Topic) -> None:
        """Makes topics with more patience than tests have otherwise: a busy machine takes its time for many."""
        patient = KafkaBus(settings_of(self.url(prefix=prefix, timeout=60)))
        await patient.open()
        await patient.apply(topics)
        await patient.close()

    @property
    def own(self) -> Broker:
        """The broker, to be killed and started again; skips the test where it is not ours."""
        if self._own is None:
            pytest.skip("TAMS_TEST_KAFKA names a broker that is not ours to kill")
        return self._own

    @asynccontextmanager
    async def killed(self) -> AsyncIterator[None]:
        """The broker is killed (-9) and started again on what it has kept; afterwards it takes records again."""
        own = self.own
        probe = KafkaBus(settings_of(self.url(timeout=60)))
        await probe.open()
        await probe.apply([PROBE])
        await probe.close()
        await asyncio.to_thread(own.kill)
        try:
            yield
        finally:
            await asyncio.to_thread(own.start)
            # A broker says that it has started before it leads what it led.
            await probe.open()
            await eventually(lambda: _takes_records(probe))
            await probe.close()

    @asynccontextmanager
    async def frozen(self) -> AsyncIterator[None]:
        """The broker keeps its connections and answers nothing; afterwards it goes on."""
        own = self.own
        await asyncio.to_thread(own.freeze)
        try:
            yield
        finally:
            await asyncio.to_thread(own.thaw)


async def _takes_records(probe: KafkaBus) -> bool:
    try:
        return not await probe.publish([Message(topic=PROBE.name, key="", id="", value=b"")])
    except Unavailable:
        return False


def _url(address: str, settings: Mapping[str, object]) -> str:
    chosen: dict[str, object] = {"timeout": 5, "session": 1.5} | NEEDED | dict(settings)
    return f"kafka://{address}?" + "&".join(f"{name}={value}" for name, value in chosen.items())


def new_prefix() -> str:
    """A prefix for topics and groups that nobody else has."""
    return f"{uuid.uuid4().hex[:12]}."


def broker() -> Kafka:
    """The broker; where there can be none the test is skipped, in CI it fails."""
    found = _broker()
    if isinstance(found, Kafka):
        return found
    reason = f"no Kafka: {found}; or TAMS_TEST_KAFKA=HOST:PORT names one that is there"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@functools.cache
def _broker() -> Kafka | str:
    if GIVEN:
        return Kafka(GIVEN)
    data = Path(tempfile.mkdtemp(prefix="tams-kafka-"))
    atexit.register(shutil.rmtree, data, ignore_errors=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(data / "authority.pem")
    own = Broker(data, extra={"group.min.session.timeout.ms": "500"} | _secured(authority))
    try:
        own.start()
    except (CannotRun, Failed) as error:
        own.remove()
        return str(error)
    atexit.register(own.remove)
    return Kafka(own.address, own, authority=data / "authority.pem")


def _secured(authority: trustme.CA) -> dict[str, str]:
    """Properties of another listener, with a certificate for localhost and one user."""
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    chain = "".join(blob.bytes().decode() for blob in certificate.cert_chain_pems)
    login = "org.apache.kafka.common.security.plain.PlainLoginModule"
    return {
        "listeners.SECURE": "SASL_SSL",
        "listener.name.secure.ssl.keystore.type": "PEM",
        "listener.name.secure.ssl.keystore.key": pem.replace("\n", "\\n"),
        "listener.name.secure.ssl.keystore.certificate.chain": chain.replace("\n", "\\n"),
        "listener.name.secure.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.secure.plain.sasl.jaas.config": f'{login} required user_{USER}="{PASSWORD}";',
    }


@pytest.fixture(scope="session")
def kafka() -> Kafka:
    """The broker of this run."""
    return broker()
