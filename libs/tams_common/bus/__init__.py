"""The bus: events between services. Its adapters are `bus.sqlite` and `bus.kafka`; services see only this."""

from tams_common.bus.port import Assigned, Bus, Consumer, Message, Offsets, Partition, Record, TopicStatus
from tams_common.events import Topic

__all__ = ["Assigned", "Bus", "Consumer", "Message", "Offsets", "Partition", "Record", "Topic", "TopicStatus"]
