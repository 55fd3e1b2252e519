"""How clients may follow this store: the event stream mechanisms of `/service` (SVC-6)."""

from typing import Final, Literal

from msgspec import UNSET, Raw, Struct, UnsetType

from tams_common.bus import Access
from tams_common.events import TOPICS
from tams_common.http.codec import encode_json


class KafkaConfig(Struct, frozen=True, kw_only=True):
    """What a Kafka consumer needs to know, but for credentials. Keys of records are flow and source ids; `cloudevents`
    is the mode in which attributes travel."""

    bootstrap_servers: tuple[str, ...]
    topics: tuple[str, ...]
    security_protocol: str
    sasl_mechanism: str | UnsetType = UNSET
    cloudevents: Literal["binary"] = "binary"


class StreamConfig(Struct, frozen=True):
    """Where the stream of server-sent events is."""

    url: str


class Mechanism(Struct, frozen=True):
    """One way to follow the store (s/event-stream-common); `config` is JSON of the mechanism's own."""

    name: str
    docs: str
    config: Raw | UnsetType = UNSET


WEBHOOKS: Final = "webhooks"


def mechanisms(access: Access | None, base_url: str) -> tuple[Mechanism, ...]:
    """Webhooks and our live stream; Kafka, too, where others have `access` to the bus. URLs begin with `base_url`."""
    streams = [Mechanism(WEBHOOKS, f"{base_url}/docs")]
    if access is not None:
        streams.append(Mechanism("kafka", f"{base_url}/asyncapi.json", _shown(_kafka(access))))
    streams.append(Mechanism("events", f"{base_url}/docs", _shown(StreamConfig(f"{base_url}/events"))))
    return tuple(streams)


def _kafka(access: Access) -> KafkaConfig:
    return KafkaConfig(
        bootstrap_servers=access.servers,
        topics=tuple(f"{access.prefix}{topic.name}" for topic in TOPICS),
        security_protocol=("SASL_" if access.mechanism else "") + ("SSL" if access.tls else "PLAINTEXT"),
        sasl_mechanism=access.mechanism or UNSET,
    )


def _shown(config: Struct) -> Raw:
    return Raw(encode_json(config))
