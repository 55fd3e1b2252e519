"""Keeps a service's behaviours running, and notices when one fails."""

import asyncio
from collections.abc import Sequence

import structlog

from tams_common.errors import StartRefused
from tams_common.runtime.service import Behaviour

_log = structlog.get_logger(__name__)


class Supervisor:
    """Runs behaviours as tasks. The first one that fails or returns ends the process: a store without its relay would
    take writes whose events never leave."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self.failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    def start(self, service: str, behaviours: Sequence[Behaviour]) -> None:
        """Starts `behaviours` of `service`."""
        for behaviour in behaviours:
            task = asyncio.create_task(behaviour.run(), name=f"{service}.{type(behaviour).__name__}")
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self.failure.done():
            return
        error = task.exception() or RuntimeError(f"{task.get_name()} returned")
        if not isinstance(error, StartRefused):  # an operator can mend that, and reads one line of it at the end
            _log.error("behaviour failed", behaviour=task.get_name(), exc_info=error)
        self.failure.set_result(error)

    async def stop(self) -> None:
        """Cancels every behaviour and waits until all have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
