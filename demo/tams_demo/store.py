"""A client of any TAMS 8.2 store: the few requests that storing and reading back a clip takes."""

import re
from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID

from yarl import URL

from tams_demo.connection import Connection, StoreError
from tams_demo.flows import FlowBody
from tams_demo.replies import Allocation, GetUrl, PartialFailure, Service, Slot, StoredFlow, StoredSegment
from tams_demo.segments import SegmentBody, StorageBody
from tams_demo.timeline import Span

_NEXT: Final = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?')


class Store:
    """One store; every method raises `StoreError` for an answer that is not the expected one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def service(self) -> Service:
        """What the store says about itself."""
        return (await self._connection.call("GET", "/service", expect=(200,))).read(Service)

    async def put_flow(self, flow: FlowBody) -> None:
        """Create or replace `flow`; its source comes with it."""
        await self._connection.call("PUT", f"/flows/{flow.id}", body=flow, expect=(201, 204))

    async def flow(self, flow: UUID) -> StoredFlow:
        """The flow, with the extent of its segments."""
        reply = await self._connection.call("GET", f"/flows/{flow}?include_timerange=true", expect=(200,))
        return reply.read(StoredFlow)

    async def delete_flow(self, flow: UUID) -> None:
        """Delete a flow and its segments; the store may take its time over it (202)."""
        await self._connection.call("DELETE", f"/flows/{flow}", expect=(202, 204))

    async def allocate(self, flow: UUID, count: int, *, content_type: str | None = None) -> Sequence[Slot]:
        """Room for up to `count` media objects; a store may grant fewer, but not none.

        `content_type` is for init segments whose type is not the flow's container.
        """
        path, body = f"/flows/{flow}/storage", StorageBody(count, content_type)
        slots = (await self._connection.call("POST", path, body=body, expect=(201,))).read(Allocation).media_objects
        if not slots:
            raise StoreError(f"POST {path} made room for none of {count} media objects")
        return slots[:count]

    async def upload(self, slot: Slot, content: bytes, *, kind: str) -> None:
        """Put `content` where `slot` says, with exactly the content type it names; `kind` if it names none."""
        headers = {**slot.put_url.headers, "Content-Type": slot.put_url.content_type or kind}
        await self._connection.transfer(
            "PUT", slot.put_url.url, presigned=slot.presigned, headers=headers, content=content
        )

    async def register(self, flow: UUID, segments: Sequence[SegmentBody]) -> None:
        """Place `segments` on the flow's time line in one request: all of them, or it is an error."""
        path = f"/flows/{flow}/segments"
        reply = await self._connection.call("POST", path, body=segments, expect=(200, 201))
        if reply.status == 200:
            failed = reply.read(PartialFailure).failed_segments
            said = "".join(f"\n  {each.object_id} at {each.timerange}: {each.error}" for each in failed[:5])
            raise StoreError(f"POST {path} refused {len(failed)} of {len(segments)} segments{said}")

    async def pages(self, flow: UUID, span: Span, *, limit: int) -> AsyncIterator[Sequence[StoredSegment]]:
        """The segments that overlap `span`, about `limit` at a time, until an answer names no next page."""
        query = URL.build(query={"timerange": str(span), "limit": str(limit)}).raw_query_string
        path: str | None = f"/flows/{flow}/segments?{query}"
        while path:
            reply = await self._connection.call("GET", path, expect=(200,))
            yield reply.read(tuple[StoredSegment, ...])
            link = _NEXT.search(reply.headers.get("Link", ""))
            path = str(reply.url.join(URL(link[1], encoded=True))) if link else None

    async def download(self, source: GetUrl) -> bytes:
        """The bytes of a media object."""
        return (await self._connection.transfer("GET", source.url, presigned=source.presigned, headers={})).body
