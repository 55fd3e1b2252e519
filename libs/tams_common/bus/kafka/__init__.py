"""The bus on Apache Kafka, and on brokers that speak its protocol."""

from tams_common.bus.kafka.bus import KafkaBus
from tams_common.bus.kafka.settings import KafkaSettings, settings_of

__all__ = ["KafkaBus", "KafkaSettings", "settings_of"]
