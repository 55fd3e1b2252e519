"""The local directory as a storage backend, behind a real socket."""

import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tams_common.clock import SECOND, system_clock
from tams_common.http.app import ServiceApp
from tams_common.http.edge import Edge
from tams_common.http.routing import Route
from tams_common.objects import Objects
from tams_common.objects.local import LocalObjects
from tams_segments.handlers.media import Media
from tests.common.objects.contract import LIFETIME, ObjectsContract, Place, get, put
from tests.common.objects.contract_copies import CopiesContract, ListsContract, PreparesContract
from tests.conformance import rule


class LocalPlace(Place):
    """Media files in a directory, served by the handlers of segments."""

    def __init__(self, objects: LocalObjects, address: tuple[str, int]) -> None:
        self.objects = objects
        self.base_url = f"http://{address[0]}:{address[1]}"
        self._directory = objects.directory

    async def break_down(self) -> None:
        """Puts a file where the directory was: whoever runs the tests, nothing can be read or written there."""
        self._directory.rename(self._directory.with_name("away"))
        self._directory.write_text("")

    async def earlier(self, seconds: int) -> Objects:
        """Another process on the same directory."""
        other = LocalObjects(self._directory, url_lifetime=LIFETIME, clock=lambda: system_clock() - seconds * SECOND)
        await other.open()
        return other


class TestLocal(ObjectsContract, CopiesContract, ListsContract, PreparesContract):
    @pytest.fixture
    async def place(self, tmp_path: Path) -> AsyncIterator[Place]:
        objects = LocalObjects(tmp_path / "media", url_lifetime=LIFETIME)
        await objects.open()
        media = Media([objects])
        edge = Edge(ServiceApp([Route("GET", "/media/{key}", media.get), Route("PUT", "/media/{key}", media.put)]))
        yield LocalPlace(objects, await edge.start("127.0.0.1", 0))
        await edge.stop()
        await objects.close()

    @rule("INT-2", "INT-3", "INT-4", "STO-20")
    async def test_checksums_of_s3_are_taken_and_given_back(self, place: Place) -> None:
        name = "x-amz-checksum-sha256"
        right, wrong = (base64.b64encode(hashlib.sha256(data).digest()).decode() for data in (b"media", b"other"))
        assert (await put(place, "k", body=b"media", headers={name: right})).status == 200
        assert (await put(place, "k", body=b"other", headers={name: right})).status == 400
        assert (await put(place, "k", body=b"media", headers={name: wrong})).status == 400
        reply = await get(place, "k")
        assert (reply.body, reply.headers[name]) == (b"media", right)
