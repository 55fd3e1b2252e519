"""The bus port on a cluster that speaks Kafka's protocol (architecture 4.3)."""

from collections.abc import Sequence

from tams_common.bus.kafka.complaints import gather
from tams_common.bus.kafka.consumer import KafkaConsumer
from tams_common.bus.kafka.link import Link
from tams_common.bus.kafka.publisher import Publisher
from tams_common.bus.kafka.settings import KafkaSettings
from tams_common.bus.kafka.topics import Topics
from tams_common.bus.port import Access, Assigned, Message, TopicStatus
from tams_common.errors import Unavailable
from tams_common.events import Topic


class KafkaBus:
    """A bus on the cluster that `settings` name. It needs no more of it than to append, to read and to keep groups."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._link = Link(settings)
        self._topics = Topics(self._link)
        self._publisher = Publisher(self._link, self._topics)
        self._open = False

    @property
    def access(self) -> Access:
        """See `Bus.access`."""
        settings = self._link.settings
        return Access(settings.hosts, settings.prefix, settings.tls, settings.mechanism)

    async def open(self) -> None:
        """See `Bus.open`; raises `StartRefused` for certificates and passwords that cannot be read."""
        gather()
        await self._publisher.open()
        self._open = True

    async def close(self) -> None:
        """See `Bus.close`."""
        self._open = False
        await self._publisher.close()

    async def apply(self, topics: Sequence[Topic]) -> None:
        """See `Bus.apply`. A topic with fewer partitions than declared keeps them, as keys would move: it is logged."""
        self._check_open()
        await self._topics.apply(topics)

    async def status(self, topics: Sequence[Topic]) -> list[TopicStatus]:
        """See `Bus.status`."""
        self._check_open()
        return await self._topics.status(topics)

    async def publish(self, messages: Sequence[Message]) -> Sequence[Message]:
        """See `Bus.publish`."""
        self._check_open()
        return await self._publisher.publish(messages)

    async def consumer(self, group: str, topics: Sequence[str], *, assigned: Assigned) -> KafkaConsumer:
        """See `Bus.consumer`."""
        self._check_open()
        missing = await self._topics.missing(topics)
        if missing:
            raise Unavailable(f"the topic {missing[0]} does not exist")
        consumer = KafkaConsumer(self._link, group, topics=topics, assigned=assigned)
        await consumer.open()
        return consumer

    def _check_open(self) -> None:
        if not self._open:
            raise Unavailable("the bus is not open")
