"""The catalog's handlers: parse, call one use case, render."""

from functools import partial
from http import HTTPStatus
from typing import Final

from tams_catalog.filters import flow_conditions, order_of, source_conditions
from tams_catalog.flow_body import parse_flow
from tams_catalog.flows import Flows
from tams_catalog.listing import Ask, Listing, Position
from tams_catalog.pages import Limits
from tams_catalog.sources import Sources
from tams_common.errors import NotFound
from tams_common.http.codec import decode_json, json_response, no_content
from tams_common.http.etag import check_if_match
from tams_common.http.message import Request, Response
from tams_common.http.paging import Paging
from tams_common.http.query import Params
from tams_common.http.routing import path_uuid
from tams_common.ids import FlowId
from tams_common.model.facts import FlowDeletion
from tams_common.model.flow import ProfileFlow
from tams_common.timerange import ETERNITY

_FLOW_ORDERS: Final = ("created", "metadata_updated", "label")
_SOURCE_ORDERS: Final = ("created", "updated", "label")


class Handlers:
    """Answers for whole flows and sources, and their lists."""

    def __init__(self, flows: Flows, sources: Sources, *, limits: Limits) -> None:
        self._flows = flows
        self._sources = sources
        self._limits = limits

    async def flows(self, request: Request) -> Response:
        """FLW-1, FLW-2, SORT-4."""
        params = Params.parse(request.query)
        where, order = flow_conditions(params), order_of(params, _FLOW_ORDERS)
        paging = self._limits.paging(request, params)
        ask = Ask(where, order, paging.position(Position), paging.limit)
        return _page(paging, params, listing=await self._flows.page(ask))

    async def sources(self, request: Request) -> Response:
        """SRC-8, SORT-3."""
        params = Params.parse(request.query)
        where, order = source_conditions(params), order_of(params, _SOURCE_ORDERS)
        paging = self._limits.paging(request, params)
        ask = Ask(where, order, paging.position(Position), paging.limit)
        return _page(paging, params, listing=await self._sources.page(ask))

    async def flow(self, request: Request) -> Response:
        """FLW-10 to FLW-12."""
        params = Params.parse(request.query)
        include, within = params.boolean("include_timerange", False), params.timerange("timerange")
        flow_id = _flow_id(request)
        if not include:
            return json_response(await self._flows.one(flow_id))
        within = ETERNITY if within is None else within
        return json_response(await self._flows.one_with_timerange(flow_id, within, context=request.context))

    async def put_flow(self, request: Request) -> Response:
        """FLW-13 to FLW-15."""
        flow_id = _flow_id(request)
        flow = parse_flow(await request.read())
        body_id = flow.id if isinstance(flow, ProfileFlow) else flow.common.id
        if body_id != flow_id:
            raise NotFound(f"the body is flow {body_id}, the path flow {flow_id} (FLW-15)", field="$.id")
        check = partial(check_if_match, request) if "if-match" in request.headers else None
        created = await self._flows.put(flow, context=request.context, check=check)
        return no_content() if created is None else json_response(created, HTTPStatus.CREATED)

    async def delete_flow(self, request: Request) -> Response:
        """FLW-42, FLW-43; 202 when segments has yet to remove some of it (DEL-1)."""
        left = await self._flows.delete(_flow_id(request), context=request.context)
        if left is None:
            return no_content()
        return json_response(left.body, HTTPStatus.ACCEPTED, headers={"location": left.location})

    async def flow_deleted(self, request: Request) -> Response:
        """ADR 0007, from segments."""
        gone = decode_json(await request.read(), FlowDeletion)
        await self._flows.deleted(_flow_id(request), gone.incarnation)
        return no_content()

    async def source(self, request: Request) -> Response:
        """SRC-12."""
        return json_response(await self._sources.one(path_uuid(request, "source_id")))

    async def facts(self, request: Request) -> Response:
        """ADR 0006, for segments."""
        flow_id = FlowId(request.params["flow_id"])
        facts = await self._flows.facts(flow_id)
        if facts is None:
            raise NotFound(f"there is no flow {flow_id}")
        etag = f'"{facts.version}"'
        if request.headers.get("if-none-match") == etag:
            return Response(HTTPStatus.NOT_MODIFIED, b"", {"etag": etag})
        return json_response(facts, headers={"etag": etag})


def _page(paging: Paging, params: Params, *, listing: Listing) -> Response:
    reverse = params.boolean("reverse_order", False)
    headers = paging.headers(listing.following, count=len(listing.bodies), reverse=reverse)
    return json_response(listing.json(), headers=headers)


def _flow_id(request: Request) -> FlowId:
    return FlowId(path_uuid(request, "flow_id"))
