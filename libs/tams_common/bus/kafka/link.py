"""The way to a cluster: what every aiokafka client is given, and what others see of its failures."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from aiokafka.errors import KafkaError

from tams_common.bus.kafka.settings import KafkaSettings
from tams_common.errors import StartRefused, Unavailable

_KEY = "configuration key TAMS_BUS_URL"
_CLOSED: Final = "the handler is closed"
"""What uvloop says of a closed connection."""


class Link:
    """Names and arguments for the clients of one bus."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings

    def outer(self, name: str) -> str:
        """The name that a topic or group has on the cluster."""
        return self.settings.prefix + name

    def inner(self, name: str) -> str:
        """The name that a topic of the cluster has for us."""
        return name.removeprefix(self.settings.prefix)

    def arguments(self) -> dict[str, object]:
        """What every client is made with; raises `StartRefused` for files that cannot be used."""
        settings = self.settings
        return {
            "bootstrap_servers": list(settings.hosts),
            "client_id": "tams",
            "request_timeout_ms": int(settings.timeout * 1000),
            **self._security(),
        }

    def _security(self) -> Mapping[str, object]:
        settings = self.settings
        protocol = ("SASL_" if settings.mechanism else "") + ("SSL" if settings.tls else "PLAINTEXT")
        found: dict[str, object] = {"security_protocol": protocol}
        if settings.tls:
            found["ssl_context"] = _tls(settings)
        if settings.mechanism:
            found["sasl_mechanism"] = settings.mechanism
            found["sasl_plain_username"] = settings.username
            found["sasl_plain_password"] = _secret(settings.password_file)
        return found

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Makes `Unavailable` of what the cluster or the way to it refuses within the block."""
        try:
            yield
        except Exception as error:
            if not is_outage(error):
                raise
            raise Unavailable(f"Kafka at {','.join(self.settings.hosts)}: {reason(error)}") from error


def is_outage(error: BaseException) -> bool:
    """Whether `error` is about the cluster or the way to it.

    To write to a connection that has been closed a moment ago is no OSError with uvloop, but a bare RuntimeError, which
    aiokafka does not expect: it comes out of whatever is called next.
    """
    if isinstance(error, RuntimeError) and not isinstance(error, KafkaError):
        return _CLOSED in str(error)
    return isinstance(error, (KafkaError, OSError, TimeoutError))


def reason(error: BaseException) -> str:
    """An error of aiokafka in words, also one without a text."""
    return str(error) or type(error).__name__


def _tls(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        if settings.certificate_file:
            context.load_cert_chain(settings.certificate_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(name for name in (settings.ca_file, settings.certificate_file, settings.key_file) if name)
        raise StartRefused(f"{_KEY}: the certificates in {files} cannot be used: {error}") from error
    return context


def _secret(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StartRefused(f"{_KEY}: the file {path} (password_file) cannot be read: {reason(error)}") from error
