"""The bus: events between services. Its adapters are `bus.sqlite` and `bus.kafka`; services see only this."""

from tams_common.bus.port import Access, Assigned, Bus, Consumer, Message, Offsets, Partition, Record, TopicStatus
from tams_common.events import Topic

__all__ = ["Access", "Assigned", "Bus", "Consumer", "Message", "Offsets", "Partition", "Record", "Topic", "TopicStatus"]
