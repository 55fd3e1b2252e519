"""VAST DB under test: the cluster that the environment names, or the project's emulator in a process of its own.

TAMS_TEST_VAST is `vast://HOST:PORT/BUCKET`; its key stands in TAMS_TEST_VAST_ACCESS_KEY and TAMS_TEST_VAST_SECRET_KEY.
Schemas made in a cluster have names that begin with `RUN`, and are dropped when the process ends.
"""

import atexit
import functools
import itertools
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

CLUSTER = "TAMS_TEST_VAST"
RUN = f"tams-test-{uuid4().hex[:12]}-"
SCRIPT = str(Path(sys.executable).with_name("tams"))

_NUMBERS = itertools.count()


class Server(msgspec.Struct, frozen=True):
    """A bucket (`vast://host:port/bucket`) and the key of a user who may do anything in it."""

    url: str
    access_key: str = "test"
    secret_key: str = "test"

    def environ(self, schema: str) -> dict[str, str]:
        """The configuration of a store in `schema`."""
        return {
            "TAMS_STORE_URL": f"{self.url}/{schema}",
            "TAMS_VAST_ACCESS_KEY": self.access_key,
            "TAMS_VAST_SECRET_KEY": self.secret_key,
        }


def new_schema() -> str:
    """A name that no other test has."""
    return f"{RUN}{next(_NUMBERS)}"


@functools.cache
def cluster() -> Server | None:
    """The cluster that the environment names."""
    url = os.environ.get(CLUSTER)
    if not url:
        return None
    server = Server(url.rstrip("/"), os.environ[f"{CLUSTER}_ACCESS_KEY"], os.environ[f"{CLUSTER}_SECRET_KEY"])
    atexit.register(drop_schemas, server, RUN)
    return server


@functools.cache
def emulator() -> Server:
    """An emulator for all tests that bring none of their own; it ends with this process, and its tables with it."""
    child = subprocess.Popen([SCRIPT, "vast-emulator", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    found = re.search(r"http://(\S+)", child.stdout.readline())
    assert found, "the emulator did not start"

    def stop() -> None:
        child.terminate()
        child.communicate()

    atexit.register(stop)
    return Server(f"vast://{found[1]}/vastdb")


def drop_schemas(server: Server, prefix: str) -> None:
    """Drops every schema whose name begins with `prefix`, with all that is in it."""
    import vastdb

    scheme, _, place = server.url.partition("://")
    address, _, bucket = place.partition("/")
    endpoint = f"{'https' if scheme == 'vast+https' else 'http'}://{address}"
    session = vastdb.connect(endpoint=endpoint, access=server.access_key, secret=server.secret_key, timeout=(5, 60))
    with session.transaction() as tx:
        names = [schema.name for schema in tx.bucket(bucket).schemas() if schema.name.startswith(prefix)]
    for name in names:
        with session.transaction() as tx:
            _drop([tx.bucket(bucket).schema(name)])


def _drop(schemas: Iterable[Any]) -> None:
    for schema in schemas:
        _drop(schema.schemas())
        for table in schema.tables():
            table.drop()
        schema.drop()


@functools.cache
def give_the_sdk_random_numbers() -> None:
    """It chooses an endpoint for each request by the common ones, on threads that may work while hypothesis draws."""
    from vastdb import _internal

    _internal.random = random.Random()
