"""A bucket of a real S3 store as a storage backend: what its clients ask goes there, not to us."""

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tams_common.clock import SECOND, system_clock
from tams_common.objects import Objects
from tams_common.objects.declared import S3Backend
from tams_common.objects.s3 import S3Objects
from tests import seaweed
from tests.common.objects.contract import LIFETIME, ObjectsContract, Place, get, put
from tests.common.objects.contract_copies import CopiesContract, ListsContract, PreparesContract


class S3Place(Place):
    """A bucket of its own, on the server that all tests share."""

    heads = False
    answers = False

    def __init__(self, declared: S3Backend, stack: AsyncExitStack) -> None:
        self.declared = declared
        self._stack = stack

    async def open(self) -> None:
        """Makes the bucket."""
        made = await self._opened(0)
        await made.prepare(create=True)
        self.objects = made

    async def break_down(self) -> None:
        """Kills the server (-9); it is started again when the test has ended."""
        await self._stack.enter_async_context(seaweed.killed(seaweed.server()))

    async def earlier(self, seconds: int) -> Objects:
        """Another process with the same configuration."""
        return await self._opened(seconds)

    async def _opened(self, seconds: int) -> S3Objects:
        made = S3Objects(self.declared, url_lifetime=LIFETIME, clock=lambda: system_clock() - seconds * SECOND)
        await made.open()
        self._stack.push_async_callback(made.close)
        return made


class TestS3(ObjectsContract, CopiesContract, ListsContract, PreparesContract):
    @pytest.fixture(params=["", "some/where/"], ids=["root", "prefix"])
    async def place(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
        async with AsyncExitStack() as stack:
            declared = seaweed.declared(tmp_path, prefix=request.param, attempts=2)
            made = S3Place(declared, stack)
            await made.open()
            yield made

    async def test_a_checksum_under_a_name_of_amazon_is_refused_unless_it_was_signed(self, place: Place) -> None:
        """Signature version 4 wants every `x-amz-` header signed with its value, and nobody knows it beforehand."""
        checksum = base64.b64encode(hashlib.sha256(b"media").digest()).decode()
        refused = await put(place, "k", body=b"media", headers={"x-amz-checksum-sha256": checksum})
        assert (refused.status, b"<Code>" in refused.body) == (403, True)
        assert (await get(place, "k")).status == 404
