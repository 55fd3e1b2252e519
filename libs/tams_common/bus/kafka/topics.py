"""Topics of a cluster: those that are missing are created, those that are there stay as they are."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from tams_common.bus.kafka.link import Link
from tams_common.bus.port import TopicStatus
from tams_common.errors import Unavailable
from tams_common.events import Topic

_log = structlog.get_logger(__name__)
_HOUR: Final = 3_600_000
_USUAL_COPIES: Final = 3
_LOOK_AGAIN: Final = 0.05
_SHOWN: Final = ("cleanup.policy", "retention.ms", "min.insync.replicas")


class Found(msgspec.Struct, frozen=True):
    """A topic as the cluster describes it; `ready` when each partition has a leader."""

    partitions: int
    replication: int
    ready: bool


class Topics:
    """The topics behind `link`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def missing(self, names: Sequence[str]) -> list[str]:
        """Those of `names` that do not exist."""
        async with self._admin() as admin:
            known = await self._described(admin)
        return [name for name in names if name not in known]

    async def apply(self, topics: Sequence[Topic]) -> None:
        """Creates what is missing and waits until it can be used; says where a topic has too few partitions."""
        async with self._admin() as admin:
            known = await self._described(admin)
            absent = [topic for topic in topics if topic.name not in known]
            if absent and not self._link.settings.create_topics:
                names = ", ".join(topic.name for topic in absent)
                raise Unavailable(
                    f"the topic {names} does not exist, and create_topics=false: create it on the cluster"
                )
            if absent:
                await self._create(admin, absent)
        for topic in topics:
            found = known.get(topic.name)
            if found is not None and found.partitions < topic.partitions:
                _log.warning("topic has few partitions", topic=topic.name, has=found.partitions, of=topic.partitions)

    async def status(self, topics: Sequence[Topic]) -> list[TopicStatus]:
        """How each of `topics` stands on the cluster."""
        async with self._admin() as admin:
            known = await self._described(admin)
            there = [topic.name for topic in topics if topic.name in known]
            configured = await self._configured(admin, there) if there else {}
        return [_status(topic, known.get(topic.name), configured=configured.get(topic.name, {})) for topic in topics]

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[Any]:
        with self._link.failures():
            admin = AIOKafkaAdminClient(**self._link.arguments())
            try:
                async with asyncio.timeout(self._link.settings.timeout):
                    await admin.start()
                    yield admin
            finally:
                await admin.close()

    async def _described(self, admin: Any) -> dict[str, Found]:  # noqa: ANN401 — aiokafka has no types
        # All of them: to ask for one by name would create it where the cluster creates topics by itself.
        prefix = self._link.settings.prefix
        return {
            self._link.inner(topic["topic"]): Found(
                partitions=len(topic["partitions"]),
                replication=max((len(each["replicas"]) for each in topic["partitions"]), default=0),
                ready=all(each["leader"] >= 0 for each in topic["partitions"]),
            )
            for topic in await admin.describe_topics()
            if topic["topic"].startswith(prefix) and not topic["error_code"]
        }

    async def _create(self, admin: Any, topics: Sequence[Topic]) -> None:  # noqa: ANN401
        brokers = len((await admin.describe_cluster())["brokers"])
        copies = self._link.settings.replication or min(_USUAL_COPIES, brokers)
        answer = await admin.create_topics([self._declared(topic, copies) for topic in topics])
        for name, code, *message in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise KafkaError(f"the topic {name} cannot be created: {error.__name__} {' '.join(map(str, message))}")
        names = {topic.name for topic in topics}
        while True:
            known = await self._described(admin)
            if names <= {name for name, found in known.items() if found.ready}:
                return
            await asyncio.sleep(_LOOK_AGAIN)

    def _declared(self, topic: Topic, copies: int) -> NewTopic:
        retention = -1 if topic.retention_hours is None else topic.retention_hours * _HOUR
        configs = {"cleanup.policy": "delete", "retention.ms": str(retention)}
        if copies >= _USUAL_COPIES:
            configs["min.insync.replicas"] = str(copies // 2 + 1)
        return NewTopic(self._link.outer(topic.name), topic.partitions, copies, topic_configs=configs)

    async def _configured(self, admin: Any, names: Sequence[str]) -> dict[str, dict[str, str]]:  # noqa: ANN401
        wanted = [ConfigResource(ConfigResourceType.TOPIC, self._link.outer(name)) for name in names]
        return {
            self._link.inner(name): {key: str(value) for key, value, *_ in entries if key in _SHOWN}
            for answer in await admin.describe_configs(wanted)
            for _code, _message, _type, name, entries in answer.resources
        }


def _status(topic: Topic, found: Found | None, *, configured: dict[str, str]) -> TopicStatus:
    if found is None:
        return TopicStatus(topic.name, None, drift=("absent",))
    retention = configured.get("retention.ms")
    hours = None if retention in {None, "-1"} else int(str(retention)) // _HOUR
    drift = []
    if found.partitions < topic.partitions:
        drift.append(f"{topic.partitions} partitions declared")
    if retention is not None and hours != topic.retention_hours:
        drift.append(f"retention of {_hours(topic.retention_hours)} declared")
    if configured.get("cleanup.policy", "delete") != "delete":
        drift.append("compaction loses events")
    return TopicStatus(
        topic.name,
        found.partitions,
        retention_hours=hours,
        cleanup=configured.get("cleanup.policy", ""),
        copies=found.replication,
        drift=tuple(drift),
    )


def _hours(hours: int | None) -> str:
    return "for ever" if hours is None else f"{hours} h"
