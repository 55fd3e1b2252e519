"""Asking for replays, and what the API shows of them."""

from typing import Any

from tests.webhooks.rig import Rig
from tests.webhooks.words import Check


async def replay(rig: Rig, webhook: str, **asked: object) -> Any:  # noqa: ANN401 — JSON
    """Asks for one."""
    return (await rig.client.post(f"/service/webhooks/{webhook}/deliveries/replay", asked, expect=202)).json()


async def replays(rig: Rig, webhook: str) -> list[Any]:
    """What the API shows, the newest first."""
    shown: list[Any] = (await rig.client.get(f"/service/webhooks/{webhook}/deliveries/replays")).json()
    return shown


def done(rig: Rig, webhook: str, *, sent: int, failed: int = 0) -> Check:
    """Whether the newest replay is over with these counts."""

    async def check() -> bool:
        shown = (await replays(rig, webhook))[0]
        return (shown["done"], shown["sent"], shown["failed"]) == (True, sent, failed)

    return check
