"""The event path under kill -9: a step has its event if and only if it was made, and the event is applied once."""

from pathlib import Path

import pytest

from tams_common.bus.sqlite.desk import Settings
from tams_common.events import SEGMENTS
from tams_common.ids import new_id
from tams_common.inbox import Interest, Subscription
from tams_common.outbox import Relay, RelaySettings
from tests.common.child import child
from tests.common.eventually import eventually
from tests.common.ledger import Ledger, copy, opened, running, steps_of

CHILD = "tests.common.ledger_child"


async def check_the_books(directory: Path, told: list[str]) -> None:
    """Lets what the dead left behind go through, and compares what was made, published and applied."""
    async with opened(directory, settings=Settings(lease=0.2)) as ledger:
        relay = Relay(ledger.store, ledger.bus, clock=ledger.clock, new_id=new_id, settings=RelaySettings(sweep=0.05))
        interest = Interest("tams.copy", (SEGMENTS,), copy)
        subscription = Subscription(ledger.store, ledger.bus, interest=interest, clock=ledger.clock)
        made = await ledger.counted()
        for line in told:
            name, number = line.split()
            assert made[name] >= int(number), "a step that was told is there"
        async with running(relay.run), running(subscription.run):
            await eventually(lambda: all_copied(ledger, made))
        assert await ledger.waiting() == 0
        reader = await ledger.published(sum(made.values()))
        for name, steps in made.items():
            assert steps_of(reader, name) == list(range(1, steps + 1))
            assert await ledger.copied(name) == [(number, 1) for number in range(1, steps + 1)]


async def all_copied(ledger: Ledger, made: dict[str, int]) -> bool:
    return all([len(await ledger.copied(name)) >= steps for name, steps in made.items()])


@pytest.mark.parametrize("publish", ["1", "4"])
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_killed_around_a_publish(tmp_path: Path, moment: str, publish: str) -> None:
    told: list[str] = []
    async with child(CHILD, str(tmp_path), moment, publish) as process:
        while line := await process.tell():
            told.append(line)
        assert await process.ended() == -9
    await check_the_books(tmp_path, told)


async def test_killed_at_any_moment_again_and_again(tmp_path: Path) -> None:
    told: list[str] = []
    for length in (1, 2, 7, 20, 50):
        async with child(CHILD, str(tmp_path), "never", "0") as process:
            told += [await process.tell() for _ in range(length)]
            told += await process.kill()
    await check_the_books(tmp_path, told)
