"""The contract of the bus on a real Kafka broker, which is killed where the contract asks for an outage."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tams_common.bus.kafka import KafkaBus, settings_of
from tests.common.bus.shared_contract import SharedBusContract
from tests.kafka import Kafka, new_prefix


class TestKafka(SharedBusContract):
    @pytest.fixture(autouse=True)
    def _broker(self, kafka: Kafka) -> None:
        self.kafka = kafka
        self.prefix = new_prefix()

    @property
    def url(self) -> str:
        return self.kafka.url(prefix=self.prefix)

    def make(self) -> KafkaBus:
        return KafkaBus(settings_of(self.url))

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        async with self.kafka.killed():
            yield
