"""`/objects/{objectId}`."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from tams_common.config import Common
from tams_common.errors import NotFound
from tams_common.http.codec import json_response
from tams_common.http.message import Request, Response
from tams_common.http.paging import Paging
from tams_common.http.query import Params
from tams_common.http.tags import tag_query
from tams_common.store import Reader, Store
from tams_segments.reading import bounded, objects_of
from tams_segments.references import FlowPage, Wanted, flows_of
from tams_segments.tables import MediaObject
from tams_segments.urls import UrlQuery, UrlWriter, UrlWriters


class InitObject(msgspec.Struct, frozen=True):
    """The init object of an object; its key is `id` here (OBJ-8, T-26)."""

    id: str
    get_urls: msgspec.Raw


class ObjectBody(msgspec.Struct, frozen=True):
    """An object as GET shows it (s/object)."""

    id: str
    referenced_by_flows: Sequence[str]
    get_urls: msgspec.Raw
    first_referenced_by_flow: str | UnsetType = UNSET
    timerange: str | UnsetType = UNSET
    key_frame_count: int | UnsetType = UNSET
    init_object: InitObject | UnsetType = UNSET


class GetObject:
    """GET and HEAD (OBJ)."""

    def __init__(self, store: Store, writers: UrlWriters, *, common: Common) -> None:
        self._store = store
        self._writers = writers
        self._maximum = common.max_limit

    async def __call__(self, request: Request) -> Response:
        """An object and a page of the flows that refer to it, the largest page if not told otherwise (PAG-15)."""
        name = request.params["object_id"]
        params = Params.parse(request.query)
        paging = Paging(request, params, default=self._maximum, maximum=self._maximum)
        urls = UrlQuery.parse(params)
        wanted = Wanted(paging.limit, paging.position(str), tag_query(params, "flow_tag"))

        def read(tx: Reader, patient: bool) -> tuple[dict[str, MediaObject], FlowPage]:
            objects = objects_of(tx, [name])
            known = objects.get(name)
            if known is None or known.state == "allocated":
                raise NotFound(f"there is no object {name!r} that a segment refers to")
            return objects, flows_of(tx, known, wanted=wanted, patient=patient)

        objects, page = await bounded(self._store, read)
        writer = self._writers.writer(urls, request.context.base_url)
        return json_response(
            _body(objects[name], objects, page=page, writer=writer), headers=paging.headers(page.following)
        )


def _body(known: MediaObject, objects: dict[str, MediaObject], *, page: FlowPage, writer: UrlWriter) -> ObjectBody:
    init = known.init_object_id
    return ObjectBody(
        id=known.id,
        referenced_by_flows=page.flows,
        get_urls=msgspec.Raw(writer.urls(known)),
        first_referenced_by_flow=_or_unset(known.first_flow),
        timerange=_or_unset(known.timerange),
        key_frame_count=UNSET if known.key_frame_count is None else known.key_frame_count,
        init_object=UNSET if init is None else InitObject(init, msgspec.Raw(writer.urls(objects.get(init)))),
    )


def _or_unset(value: str | None) -> str | UnsetType:
    return UNSET if value is None else value
