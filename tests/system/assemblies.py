"""The assemblies on which the same story runs: one process in memory, one on files, one with its media in S3, a process
per service, and the same on Kafka."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

from tams_common.runtime import registry
from tams_common.runtime.host import Host
from tests import seaweed
from tests.kafka import broker, new_prefix
from tests.stores import environ_of
from tests.system import processes
from tests.system.api import Api
from tests.system.processes import ENCRYPTION_KEY, TOKEN
from tools.seaweed import write_storage_file

Assembly: TypeAlias = Callable[[Path], AbstractAsyncContextManager[Api]]

VANISHING = {
    "TAMS_STORE_URL": "sqlite::memory:",
    "TAMS_BUS_URL": "sqlite::memory:",
    "TAMS_OBJECTS_URL": "local::memory:",
    "TAMS_LISTEN": "127.0.0.1:0",
    "TAMS_API_GATEWAY_TOKEN": TOKEN,
    "TAMS_WEBHOOKS_ENCRYPTION_KEYS": ENCRYPTION_KEY,
    "TAMS_WEBHOOKS_ALLOW": "127.0.0.0/8",
}
"""The configuration of a store that leaves nothing behind."""


@asynccontextmanager
async def in_memory(scratch: Path) -> AsyncIterator[Api]:
    """Every service in this process; tables, bus and media vanish with it."""
    async with in_this_process({}) as api:
        yield api


@asynccontextmanager
async def in_this_process(environ: Mapping[str, str]) -> AsyncIterator[Api]:
    """Every service in this process, with `environ` on top of `VANISHING`."""
    host = Host(registry.load_all(), VANISHING | environ_of(None) | dict(environ), migrate=True)
    await host.start()
    try:
        async with Api(host.url, TOKEN) as api:
            yield api
    finally:
        await host.stop()


@asynccontextmanager
async def on_files(scratch: Path) -> AsyncIterator[Api]:
    """`tams dev` as a newcomer starts it."""
    async with processes.dev(scratch / "data") as child, Api(child.url, TOKEN) as api:
        yield api


@asynccontextmanager
async def in_processes(scratch: Path) -> AsyncIterator[Api]:
    """Every service in an operating system process of its own, on shared files."""
    async with AsyncExitStack() as stack:
        children = await stack.enter_async_context(processes.every_service(scratch / "data"))
        yield await stack.enter_async_context(Api(children["api-gateway"][0].url, TOKEN))


@asynccontextmanager
async def on_kafka(scratch: Path) -> AsyncIterator[Api]:
    """As `in_processes`, with the events on Kafka, in topics of its own."""
    bus = broker().url(prefix=new_prefix(), timeout=10)
    async with AsyncExitStack() as stack:
        children = await stack.enter_async_context(processes.every_service(scratch / "data", bus=bus))
        yield await stack.enter_async_context(Api(children["api-gateway"][0].url, TOKEN))


@asynccontextmanager
async def on_s3(scratch: Path) -> AsyncIterator[Api]:
    """As `on_files`, with the media in two buckets of their own, the first one the default."""
    path = scratch / "storage.toml"
    near, far = seaweed.new_bucket(), seaweed.new_bucket()
    write_storage_file(
        path,
        seaweed.server().backend(near, label="near", default=True, tags={"speed": "fast"}),
        seaweed.server().backend(far, label="far", prefix="tams/", get_urls=["presigned", "plain"]),
    )
    objects = f"s3:{path}"
    status, output = await processes.run("storage", "init", "--create", "--objects", objects)
    assert status == 0, output
    async with processes.dev(scratch / "data", "--objects", objects) as child, Api(child.url, TOKEN) as api:
        yield api


ASSEMBLIES: dict[str, Assembly] = {
    "memory": in_memory,
    "files": on_files,
    "processes": in_processes,
    "kafka": on_kafka,
    "s3": on_s3,
}
