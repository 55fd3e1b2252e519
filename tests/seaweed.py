"""The S3 store of the tests: one SeaweedFS server for the whole run, started when the first test asks for it."""

import asyncio
import atexit
import functools
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tams_common.objects.declared import S3Backend, read_backends
from tools.seaweed import CannotRun, Seaweed, write_storage_file


def server() -> Seaweed:
    """The server; where there can be none the test is skipped, in CI it fails."""
    found = _server()
    if isinstance(found, Seaweed):
        return found
    reason = f"no S3 store: {found}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def new_bucket() -> str:
    """The name of a bucket that nobody else has; it does not exist yet."""
    return f"tams-{uuid.uuid4().hex[:12]}"


def declared(scratch: Path, **more: object) -> S3Backend:
    """A backend on a bucket of its own, as a storage file in `scratch` would declare it."""
    path = scratch / f"{new_bucket()}.toml"
    write_storage_file(path, server().backend(new_bucket()) | more)
    (found,) = read_backends(path)
    assert isinstance(found, S3Backend)
    return found


@asynccontextmanager
async def killed(running: Seaweed) -> AsyncIterator[None]:
    """The server is killed (-9) and started again on what it has kept."""
    await asyncio.to_thread(running.kill)
    try:
        yield
    finally:
        await asyncio.to_thread(running.start)


def fresh() -> Seaweed:
    """A server of the test's own, to be killed; it goes with the test run."""
    server()
    data = Path(tempfile.mkdtemp(prefix="tams-s3-"))
    atexit.register(shutil.rmtree, data, ignore_errors=True)
    own = Seaweed(data)
    own.start()
    atexit.register(own.kill)
    return own


@functools.cache
def _server() -> Seaweed | str:
    data = Path(tempfile.mkdtemp(prefix="tams-s3-"))
    atexit.register(shutil.rmtree, data, ignore_errors=True)
    own = Seaweed(data)
    try:
        own.start()
    except CannotRun as error:
        return str(error)
    atexit.register(own.kill)
    return own


@pytest.fixture(scope="session")
def seaweed() -> Seaweed:
    """The server of this run."""
    return server()
