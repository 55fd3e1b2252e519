"""A host as a process of the operating system: signals, exit, event loop."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import click
import uvloop

from tams_common.errors import StartRefused, TamsError
from tams_common.logging import configure
from tams_common.runtime.host import Host


class BehaviourFailed(TamsError):
    """Something that runs beside the handlers ended: the process stops, so that its supervisor starts a fresh one."""

    summary = "A background task failed"


async def serve_until_signal(host: Host, greeting: Callable[[], str]) -> None:
    """Starts `host`, prints `greeting`, stops on SIGTERM or SIGINT; raises `BehaviourFailed` when a task
    ends, `StartRefused` where an operator can mend why."""
    configure(host.common.log_format, host.common.log_level)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await host.start()
    try:
        click.echo(greeting())
        failure = asyncio.ensure_future(host.wait())
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait((failure, stopped), return_when=asyncio.FIRST_COMPLETED)
        if failure.done():
            raise _told(failure.result())
        failure.cancel()
    finally:
        await host.stop()


def _told(error: BaseException) -> TamsError:
    """What an operator is told of the end of a behaviour: what is wrong, where it can be mended."""
    if isinstance(error, StartRefused):
        return StartRefused(f"stopped: {error.detail}")
    return BehaviourFailed(f"stopped because a background task failed: {error!r}")


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs `main` on uvloop; an error that an operator can mend is one line and exit status 1, not a traceback."""
    try:
        uvloop.run(main)
    except TamsError as error:
        raise click.ClickException(error.detail) from None
