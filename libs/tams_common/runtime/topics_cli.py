"""`tams topics`: what an operator does with the topics of the event bus."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import click

from tams_common.bus import Bus, Topic, TopicStatus
from tams_common.config import Common, read
from tams_common.events import TOPICS, dead_letters
from tams_common.inbox import POSITIONS
from tams_common.runtime import registry
from tams_common.runtime.aligned import print_aligned

_Work: TypeAlias = Callable[[Bus], Awaitable[list[TopicStatus]]]

_BUS = click.option("--bus", default=None, metavar="URL", help="Where the topics are; otherwise TAMS_BUS_URL.")
_TITLES: Final = ("topic", "partitions", "kept", "cleanup", "copies", "drift")


@click.group()
def topics() -> None:
    """Create and show the topics of events. Those for events that a service could not apply are among them."""


@topics.command()
@_BUS
def apply(bus: str | None) -> None:
    """Create the topics that are missing; others stay as they are."""
    wanted = declared()

    async def create(opened: Bus) -> list[TopicStatus]:
        await opened.apply(wanted)
        return await opened.status(wanted)

    _print(_on_bus(bus, create))


@topics.command()
@_BUS
def status(bus: str | None) -> None:
    """Show every topic and what differs from its declaration. Partitions, retention, cleanup and copies, too."""
    wanted = declared()
    _print(_on_bus(bus, lambda opened: opened.status(wanted)))


def declared() -> list[Topic]:
    """Every topic of the installed services. Who has positions consumes, in the group that is named after it."""
    consuming = [service.name for service in registry.load_all() if POSITIONS in service.tables]
    return [*TOPICS, *(dead_letters(f"tams.{name}") for name in consuming)]


def _print(found: list[TopicStatus]) -> None:
    print_aligned(_TITLES, [_cells(topic) for topic in found])


def _cells(topic: TopicStatus) -> tuple[str, ...]:
    if topic.partitions is None:
        return (topic.name, "", "", "", "", "absent")
    kept = "for ever" if topic.retention_hours is None else f"{topic.retention_hours} h"
    drift = ", ".join(topic.drift) or "none"
    return (topic.name, str(topic.partitions), kept, topic.cleanup, str(topic.copies), drift)


def _on_bus(url: str | None, work: _Work) -> list[TopicStatus]:
    from tams_common.runtime import wiring

    async def use() -> list[TopicStatus]:
        opened = wiring.make_bus(common.bus_url)
        await opened.open()
        try:
            return await work(opened)
        finally:
            await opened.close()

    common = read(Common, "TAMS_", environ=dict(os.environ) | ({"TAMS_BUS_URL": url} if url else {}))
    return asyncio.run(use())
