"""`/flows/{flowId}/storage` and `/service/storage-backends`."""

from collections.abc import Sequence

from msgspec import UNSET

from tams_common.config import Common
from tams_common.http.codec import decode_json, json_response
from tams_common.http.message import Request, Response
from tams_common.http.paging import Paging
from tams_common.http.query import Params
from tams_common.http.tags import tag_query
from tams_common.objects import Backend, Objects
from tams_segments.allocating import Allocator
from tams_segments.config import SegmentsConfig
from tams_segments.facts import FlowDirectory, container_of
from tams_segments.handlers.paths import flow_id_of
from tams_segments.requests import StoragePost


class AllocateStorage:
    """POST storage (STO)."""

    def __init__(self, flows: FlowDirectory, allocator: Allocator, *, config: SegmentsConfig, common: Common) -> None:
        self._flows = flows
        self._allocator = allocator
        self._default = config.storage_limit
        self._maximum = common.max_limit

    async def __call__(self, request: Request) -> Response:
        """Places to upload to; an absent body asks for the defaults (STO-19)."""
        flow_id = flow_id_of(request)
        body = await request.read()
        wanted = decode_json(body, StoragePost) if body else StoragePost()
        facts = await self._flows.writable(flow_id, request.context)
        places = await self._allocator.allocate(
            flow_id,
            wanted,
            container=container_of(flow_id, facts),
            count=self._default if wanted.limit is UNSET else min(wanted.limit, self._maximum),
            base_url=request.context.base_url,
        )
        return json_response(places, 201)


class ListBackends:
    """GET and HEAD storage-backends (STB)."""

    def __init__(self, backends: Sequence[Objects], common: Common) -> None:
        self._backends = sorted((objects.backend for objects in backends), key=_by_label)
        self._common = common

    async def __call__(self, request: Request) -> Response:
        """A page of the backends, by label; those without one follow by id (SORT-1, SORT-8)."""
        params = Params.parse(request.query)
        paging = Paging(request, params, default=self._common.default_limit, maximum=self._common.max_limit)
        tags = tag_query(params, "tag")
        reverse = params.boolean("reverse_order", False)
        start = paging.position(int) or 0
        found = [backend for backend in self._backends if tags.matches(backend.tags)]
        if reverse:
            found.reverse()
        page = found[start : start + paging.limit]
        following = start + len(page) if start + len(page) < len(found) else None
        return json_response(page, headers=paging.headers(following, count=len(page), reverse=reverse))


def _by_label(backend: Backend) -> tuple[bool, str, str]:
    return (backend.label is None, backend.label or "", backend.id)
