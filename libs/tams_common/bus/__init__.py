"""The bus: events between services. Its adapters are `bus.sqlite` and `bus.kafka`; services see only what stands here."""

from tams_common.bus.port import Bus, Consumer, Message, Offsets, Partition, Record, Topic

__all__ = ["Bus", "Consumer", "Message", "Offsets", "Partition", "Record", "Topic"]
