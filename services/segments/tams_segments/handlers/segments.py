"""`/flows/{flowId}/segments`."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from tams_common.clock import Clock, date_time
from tams_common.config import Common
from tams_common.errors import InvalidInput
from tams_common.http.codec import encode_json, json_response
from tams_common.http.message import Request, Response
from tams_common.http.paging import Paging
from tams_common.http.query import Params
from tams_common.store import Reader, Store
from tams_common.timerange import ETERNITY
from tams_segments.facts import FlowDirectory, container_of
from tams_segments.handlers.paths import flow_id_of
from tams_segments.reading import Described, Position, SegmentPage, SegmentQuery, bounded, described, read_page
from tams_segments.rendering import with_object_timerange, with_urls
from tams_segments.requests import Posted, Refusal, read_segments
from tams_segments.urls import UrlQuery, UrlWriters
from tams_segments.writing import Order, Registrar

_LARGE: Final = 256 * 1024
"""Bytes of a body that are read beside the event loop: megabytes of segments would hold up everything else."""
_MANY: Final = 500
"""Refusals that are told of beside the event loop, for the same reason."""

Urls = Callable[[Described], bytes]
Found = tuple[SegmentPage, Mapping[str, Described]]


class ItemError(msgspec.Struct, frozen=True, gc=False):
    """Why a segment was refused (s/error); `field` is its place in the request."""

    type: str
    summary: str
    time: str
    field: str


class FailedSegment(msgspec.Struct, frozen=True, gc=False):
    """A segment that was refused (s/flow-segment-bulk-failure); `timerange` only if it could be read."""

    object_id: str
    error: ItemError
    timerange: str | msgspec.UnsetType = msgspec.UNSET


class FailedSegments(msgspec.Struct, frozen=True):
    """The answer to an array of which not everything was accepted: an object, not a list (T-22)."""

    failed_segments: list[FailedSegment]


class ListSegments:
    """GET and HEAD (SEG)."""

    def __init__(self, store: Store, writers: UrlWriters, *, common: Common) -> None:
        self._store = store
        self._writers = writers
        self._common = common

    async def __call__(self, request: Request) -> Response:
        """A page of the flow's segments; a flow that does not exist has none."""
        flow_id = flow_id_of(request)
        params = Params.parse(request.query)
        paging = Paging(request, params, default=self._common.default_limit, maximum=self._common.max_limit)
        urls = UrlQuery.parse(params)
        query = SegmentQuery(
            flow_id=flow_id,
            limit=paging.limit,
            timerange=params.timerange("timerange") or ETERNITY,
            object_id=params.text("object_id"),
            reverse=params.boolean("reverse_order", False),
            after=paging.position(Position),
        )
        with_timeranges = params.boolean("include_object_timerange", False)
        needs_objects = with_timeranges or not urls.wants_none

        def read(tx: Reader, patient: bool) -> Found:
            page = read_page(tx, query, patient=patient)
            return page, described(tx, page.object_ids) if needs_objects else {}

        page, objects = await bounded(self._store, read)
        bodies = page.bodies
        if with_timeranges:
            bodies = [
                with_object_timerange(body, objects[name].timerange)
                for body, name in zip(bodies, page.object_ids, strict=True)
            ]
        if not urls.wants_none:
            writer = self._writers.writer(urls, request.context.base_url)
            bodies = dressed(page, objects, bodies=bodies, urls=writer.urls)
        headers = paging.headers(page.following, count=len(bodies), reverse=query.reverse, timerange=page.timerange)
        return json_response(b"[%b]" % b",".join(bodies), headers=headers)


def dressed(page: SegmentPage, objects: Mapping[str, Described], *, bodies: Sequence[bytes], urls: Urls) -> list[bytes]:
    """`bodies` with the `get_urls` of their objects, also in their init objects."""
    result: list[bytes] = []
    for body, name in zip(bodies, page.object_ids, strict=True):
        media = objects[name]
        init = media.init_object_id
        result.append(with_urls(body, urls(media), init_urls=None if init is None else urls(objects[init])))
    return result


class RegisterSegments:
    """POST (SGP). `committed` is called after each change."""

    def __init__(
        self, flows: FlowDirectory, registrar: Registrar, *, clock: Clock, committed: Callable[[], None]
    ) -> None:
        self._flows = flows
        self._registrar = registrar
        self._clock = clock
        self._committed = committed

    async def __call__(self, request: Request) -> Response:
        """201 when everything was added, else 200 with what was refused; a single segment that is refused is a 400."""
        flow_id = flow_id_of(request)
        posted = await _read(await request.read())
        facts = await self._flows.writable(flow_id, request.context)
        container_of(flow_id, facts)
        failures = await self._registrar.register(Order(flow_id, facts, posted.items))
        if len(failures) < len(posted.items):
            self._committed()
        if not failures and not posted.malformed:
            return Response(201)
        if not posted.is_array:
            raise InvalidInput(failures[0].detail, field=f"$.{failures[0].field}")
        refusals = sorted([*failures, *posted.malformed], key=lambda refusal: refusal.index)
        time = date_time(self._clock())
        if len(refusals) < _MANY:
            return json_response(_failed(refusals, time))
        return json_response(await asyncio.to_thread(lambda: encode_json(_failed(refusals, time))))


async def _read(body: bytes) -> Posted:
    return read_segments(body) if len(body) < _LARGE else await asyncio.to_thread(read_segments, body)


def _failed(refusals: Sequence[Refusal], time: str) -> FailedSegments:
    return FailedSegments([_failed_segment(refusal, time) for refusal in refusals])


def _failed_segment(refusal: Refusal, time: str) -> FailedSegment:
    error = refusal.in_array
    return FailedSegment(
        refusal.object_id,
        ItemError("urn:tams:problem:invalid-input", error.detail, time, error.field or "$"),
        msgspec.UNSET if refusal.timerange is None else str(refusal.timerange),
    )
