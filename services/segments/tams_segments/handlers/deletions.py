"""Deleting segments, and `/flow-delete-requests`: what became of deletions that took too long to wait for (DEL)."""

from collections.abc import Callable
from typing import Final

from tams_common.clock import Clock
from tams_common.config import Common
from tams_common.errors import NotFound
from tams_common.http.codec import decode_json, json_response, no_content
from tams_common.http.message import Request, Response
from tams_common.http.paging import Paging
from tams_common.http.query import Params
from tams_common.model.facts import FlowDeletion as Asked
from tams_common.store import Store
from tams_common.timerange import ETERNITY
from tams_segments.deleting import Deleter
from tams_segments.deletion_requests import Listed, Position, find, page_of, shown
from tams_segments.facts import FlowDirectory
from tams_segments.handlers.paths import flow_id_of
from tams_segments.ranges import RangeDeletion
from tams_segments.tables import DeletionRow
from tams_segments.whole_flows import FlowDeletion

SORTS: Final = ("created", "expiry")


class DeleteSegments:
    """DELETE of a flow's segments (SGD). `committed` is called after each change."""

    def __init__(self, flows: FlowDirectory, deleter: Deleter, *, committed: Callable[[], None]) -> None:
        self._flows = flows
        self._deleter = deleter
        self._committed = committed

    async def __call__(self, request: Request) -> Response:
        """204 when what lies wholly in the timerange is gone, 202 when it is not to be seen any more."""
        flow_id = flow_id_of(request)
        params = Params.parse(request.query)
        timerange = params.timerange("timerange")
        object_id = params.text("object_id")
        facts = await self._flows.writable(flow_id, request.context)
        outcome = await self._deleter.delete_range(
            RangeDeletion(
                flow_id=flow_id,
                facts=facts,
                timerange=ETERNITY if timerange is None else timerange,
                object_id=object_id,
                created_by=request.context.principal.subject or None,
            )
        )
        if outcome.removed or outcome.request is not None:
            self._committed()
        return no_content() if outcome.request is None else _accepted(outcome.request, request)


class DeleteFlow:
    """PUT of a flow's deletion, which catalog asks for; the gateway never routes here. `committed` is called after each
    change."""

    def __init__(self, deleter: Deleter, *, committed: Callable[[], None]) -> None:
        self._deleter = deleter
        self._committed = committed

    async def __call__(self, request: Request) -> Response:
        """204 when nothing of the flow is left, 202 as catalog's own answer to its client."""
        asked = decode_json(await request.read(), Asked)
        created_by = request.context.principal.subject or None
        left = await self._deleter.delete_flow(FlowDeletion(flow_id_of(request), asked.incarnation, created_by))
        self._committed()
        return no_content() if left is None else _accepted(left, request)


class ListDeletions:
    """GET and HEAD of the list (DEL-7)."""

    def __init__(self, store: Store, *, common: Common, clock: Clock) -> None:
        self._store = store
        self._common = common
        self._clock = clock

    async def __call__(self, request: Request) -> Response:
        """A page of the requests that have not expired (SORT-5)."""
        params = Params.parse(request.query)
        paging = Paging(request, params, default=self._common.default_limit, maximum=self._common.max_limit)
        listed = Listed(
            sort_by=params.choice("sort_by", SORTS) or SORTS[0],
            reverse=params.boolean("reverse_order", False),
            after=paging.position(Position),
            limit=paging.limit,
        )
        page = await self._store.read(lambda tx: page_of(tx, listed, now=self._clock()))
        headers = paging.headers(page.following, count=len(page.rows), reverse=listed.reverse)
        return json_response([shown(row) for row in page.rows], headers=headers)


class GetDeletion:
    """GET and HEAD of one (DEL-8)."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, request: Request) -> Response:
        """The request; its id may be any text (GEN-5)."""
        name = request.params["request_id"]
        row = await self._store.read(lambda tx: find(tx, name, now=self._clock()), bounded=True)
        if row is None:
            raise NotFound(f"there is no deletion request {name!r}, or it has expired")
        return json_response(shown(row))


def _accepted(row: DeletionRow, request: Request) -> Response:
    """202 and where to ask how it goes on (DEL-1, T-1)."""
    location = f"{request.context.base_url}/flow-delete-requests/{row.id}"
    return json_response(shown(row), 202, headers={"location": location})
