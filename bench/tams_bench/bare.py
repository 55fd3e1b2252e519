"""The reference for reads: a bare aiohttp handler on uvloop that returns the bytes of a file (its one argument)."""

import asyncio
import sys
from pathlib import Path

import uvloop
from aiohttp import web


async def serve(body: bytes) -> None:
    """Answers every GET with `body`; prints the port that it got."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]).read_bytes()))
