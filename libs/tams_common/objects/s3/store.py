"""The object port on a bucket of an S3 store."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import Final

import structlog

from tams_common.clock import Clock, system_clock
from tams_common.errors import NotFound, StartRefused, Unavailable
from tams_common.objects.declared import S3Backend
from tams_common.objects.port import Condition, Entry, ObjectInfo, Owner, Unfinished, Upload
from tams_common.objects.s3 import copies, listing, preparing
from tams_common.objects.s3.answers import asking
from tams_common.objects.s3.bucket import Bucket, open_bucket
from tams_common.objects.s3.credentials import KeyRing, session_of
from tams_common.objects.s3.presign import LONGEST, DayKeys, Keys, Moment, Presigner, address, quoted
from tams_common.objects.validity import valid_for, window_start
from tams_common.timerange import NS

SKEW: Final = 60
"""Seconds by which a URL is signed in the past: a store whose clock is behind takes it at once."""
_log = structlog.get_logger(__name__)


class S3Objects:
    """A bucket as it is `declared`; `url_lifetime` is `min_presigned_url_timeout` in seconds."""

    def __init__(self, declared: S3Backend, *, url_lifetime: int, clock: Clock = system_clock) -> None:
        self._declared = declared
        self._place = f"bucket {declared.bucket} at {declared.api}"
        self._lifetime = url_lifetime
        self._valid_for = SKEW + valid_for(url_lifetime)
        if self._valid_for > LONGEST:
            raise StartRefused(
                f"configuration key TAMS_MIN_PRESIGNED_URL_TIMEOUT: {self._place} signs URLs for {LONGEST} s, of which "
                f"{LONGEST - SKEW - valid_for(0)} s can be promised"
            )
        self._clock = clock
        self._stack = AsyncExitStack()
        self._opened: tuple[Bucket, KeyRing] | None = None
        self._day_keys = DayKeys()
        self._last: tuple[tuple[Keys, int, int], Presigner] | None = None
        virtual = declared.addressing == "virtual"
        self._where = address(declared.public, declared.bucket, prefix=declared.prefix, virtual=virtual)
        self._plain = f"{declared.plain_url.rstrip('/')}/{declared.prefix}" if declared.plain_url else self._where.start
        self.backend = declared.backend
        self.reading = declared.reading
        self.writing = declared.writing

    async def open(self) -> None:
        """Finds the credentials; the store itself is not asked yet. Raises `StartRefused`."""
        where = f"backend {self.backend.label or self.backend.id}"
        session = session_of(self._declared.credentials, region=self._declared.region, where=where)
        ring = KeyRing(session, where=where)
        bucket = await open_bucket(self._declared, session, stack=self._stack, place=self._place)
        try:
            await ring.open()
        except StartRefused:
            await self._stack.aclose()
            raise
        self._stack.push_async_callback(ring.close)
        self._opened = (bucket, ring)

    async def close(self) -> None:
        """Lets go of connections."""
        self._opened = None
        await self._stack.aclose()

    def signer(self, base_url: str) -> Presigner:
        """Signs for one request. URLs of temporary keys end with these at the latest: ours then say so.

        Raises `Unavailable` when the keys have ended.
        """
        ring = self._ready[1]
        signed_at, expires = window_start(self._clock) - SKEW, self._valid_for
        if ring.expires is not None and ring.expires < signed_at + expires:
            expires = self._shorter(ring.expires, signed_at)
        name = (ring.keys, signed_at, expires)
        if self._last is None or self._last[0] != name:
            moment = Moment(signed_at, expires, self._declared.region)
            self._last = (name, Presigner(self._where, ring.keys, moment=moment, day_keys=self._day_keys))
        return self._last[1]

    def _shorter(self, ends: int, signed_at: int) -> int:
        left = ends - self._clock() // NS
        if left <= 0:
            raise Unavailable(f"the temporary credentials for {self._place} have ended and could not be renewed")
        if left < self._lifetime and (self._last is None or self._last[0][2] == self._valid_for):
            _log.warning("URLs end before their time", backend=self._place, seconds=left, promised=self._lifetime)
        return ends - signed_at

    def plain_url(self, key: str) -> str:
        """The URL without a signature."""
        return self._plain + quoted(key)

    async def head(self, key: str) -> ObjectInfo | None:
        """What is stored under `key`, or None."""
        try:
            return await self._bucket.head(key)
        except NotFound:
            return None

    async def delete(self, key: str) -> None:
        """Removes the bytes, if there are any."""
        with suppress(NotFound), asking(self._place):
            await self._bucket.client.delete_object(**self._bucket.named(key))

    def read(self, key: str, *, first: int, etag: str) -> AsyncIterator[bytes]:
        """Streams one version of an object from byte `first` on."""
        return copies.read(self._bucket, key, first=first, etag=etag)

    async def begin(self, key: str, *, content_type: str, size: int) -> Upload:
        """Starts a write of `size` bytes; one that fits into a part is a single request later."""
        return await copies.begin(self._bucket, key, content_type=content_type, size=size)

    async def arrived(self, upload: Upload) -> int:
        """How many bytes are there for good."""
        return await copies.arrived(self._bucket, upload)

    async def append(self, upload: Upload, data: bytes, *, at: int) -> None:
        """Writes a part, which the store verifies by its MD5."""
        await copies.append(self._bucket, upload, data=data, at=at)

    async def complete(self, upload: Upload) -> ObjectInfo:
        """Makes the object seen."""
        return await copies.complete(self._bucket, upload)

    async def abort(self, upload: Upload) -> None:
        """Gives an upload up."""
        await copies.abort(self._bucket, upload)

    def entries(self) -> AsyncIterator[Entry]:
        """Every object below the prefix, in the order of the keys' bytes."""
        return listing.entries(self._bucket)

    def unfinished(self) -> AsyncIterator[Unfinished]:
        """Every upload in parts that is not complete."""
        return listing.unfinished(self._bucket)

    async def abandon(self, upload: Unfinished) -> None:
        """Gives such an upload up."""
        await listing.abandon(self._bucket, upload)

    async def owner(self) -> Owner | None:
        """Whose mark the bucket bears."""
        return await listing.owner(self._bucket)

    async def mark(self, owner: Owner) -> Owner:
        """Leaves a mark unless there is one."""
        return await listing.mark(self._bucket, owner)

    async def condition(self) -> Condition:
        """How the bucket stands."""
        return await preparing.condition(self._bucket, origins=self._declared.cors_origins)

    async def prepare(self, *, create: bool) -> Condition:
        """Makes the bucket where `create` says so, and lets browsers in."""
        declared = self._declared
        return await preparing.prepare(
            self._bucket, create=create, region=declared.region, origins=declared.cors_origins
        )

    @property
    def _bucket(self) -> Bucket:
        return self._ready[0]

    @property
    def _ready(self) -> tuple[Bucket, KeyRing]:
        if self._opened is None:
            raise Unavailable(f"{self._place} is not open")
        return self._opened
