"""A replica of webhooks in a process of its own, to be killed: its configuration is one argument, as JSON."""

import asyncio
import sys

import msgspec

from tams_common.runtime.host import Host
from tams_webhooks.service import SERVICE
from tests.common.child import say


async def main(environ: dict[str, str]) -> None:
    host = Host([SERVICE], environ)
    await host.start()
    say("started")
    try:
        raise await host.wait()
    finally:
        await host.stop()


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.argv[1], type=dict[str, str])))
