"""`/internal/segments/rendered`: what webhooks asks before it delivers; the gateway never routes here."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tams_common.http.codec import decode_json, json_response
from tams_common.http.message import Request, Response
from tams_common.model.rendering import Rendered, Rendering
from tams_common.store import Store
from tams_segments.handlers.segments import dressed
from tams_segments.reading import Described, SegmentPage, described
from tams_segments.rendering import with_object_timerange
from tams_segments.urls import UrlQuery, UrlWriters


class _Named(msgspec.Struct):
    object_id: str


_named: Final = msgspec.json.Decoder(_Named)


class RenderSegments:
    """POST rendered."""

    def __init__(self, store: Store, writers: UrlWriters) -> None:
        self._store = store
        self._writers = writers

    async def __call__(self, request: Request) -> Response:
        """The segments of the body as GET shows them (EVT-11); an object that is gone by now has no URLs."""
        asked = decode_json(await request.read(), Rendering)
        bodies = [bytes(segment) for segment in asked.segments]
        names = [_named.decode(body).object_id for body in bodies]
        found = await self._store.read(lambda tx: described(tx, names), bounded=True)
        page = SegmentPage(bodies=bodies, object_ids=names)
        return json_response(Rendered([msgspec.Raw(body) for body in self._rendered(page, found, asked=asked)]))

    def _rendered(self, page: SegmentPage, found: Mapping[str, Described], *, asked: Rendering) -> Sequence[bytes]:
        objects = {name: found.get(name) or _gone(name) for name in page.object_ids} | dict(found)
        bodies = page.bodies
        if asked.include_object_timerange:
            bodies = [
                with_object_timerange(body, objects[name].timerange)
                for body, name in zip(bodies, page.object_ids, strict=True)
            ]
        query = url_query(asked)
        if query.wants_none:
            return bodies
        writer = self._writers.writer(query, asked.base_url)
        return dressed(page, objects, bodies=bodies, urls=writer.urls)


def url_query(asked: Rendering) -> UrlQuery:
    """The filters on URLs, as `UrlQuery.parse` reads them from parameters."""
    return UrlQuery(
        labels=None if asked.accept_get_urls is None else frozenset(asked.accept_get_urls),
        storage_ids=frozenset(asked.accept_storage_ids) or None,
        presigned=asked.presigned,
        verbose=asked.verbose_storage,
    )


def _gone(name: str) -> Described:
    return Described(name, None, None, None, None, b"")
