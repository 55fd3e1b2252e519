"""Handlers of the paths below a flow or source that exchange one bare JSON value (GEN-12, SUB, SRC-13 to SRC-19)."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from msgspec import UNSET

from tams_catalog import members
from tams_catalog.flows import Flows, Unprotected
from tams_catalog.members import Member
from tams_catalog.sources import Sources
from tams_common.errors import NotFound
from tams_common.http.codec import decode_json, encode_json, json_response, no_content
from tams_common.http.etag import check_if_match
from tams_common.http.message import Context, Request, Response
from tams_common.http.routing import path_uuid
from tams_common.model.flow import Flow
from tams_common.model.source import Source

T = TypeVar("T")


class Resources(Protocol[T]):
    """Flows, or sources, one at a time. Raises `NotFound`, and `Forbidden` for a read-only flow."""

    async def look(self, resource_id: str) -> T:
        """The resource as it is."""
        ...

    async def edit(self, resource_id: str, change: Callable[[T], T], *, context: Context) -> None:
        """Replaces the resource by what `change` makes of it."""
        ...


class Property(Generic[T]):
    """GET, PUT and DELETE of one member. `parameter` is the path parameter with the resource's id.

    `kind` is the type of the member's JSON, whichever the request names. `If-Match` is held against the value that GET
    shows, in the transaction that changes it.
    """

    def __init__(
        self, resources: Resources[T], parameter: str, *, kind: object, member: Callable[[Request], Member[T]]
    ) -> None:
        self.kind = kind
        self._resources = resources
        self._parameter = parameter
        self._member = member

    async def get(self, request: Request) -> Response:
        """The value, and what stands for none."""
        resource = await self._resources.look(path_uuid(request, self._parameter))
        return json_response(self._member(request).shown(resource))

    async def put(self, request: Request) -> Response:
        """Sets the value."""
        resource_id, member = path_uuid(request, self._parameter), self._member(request)
        value = decode_json(await request.read(), member.kind)

        def put(old: T) -> T:
            if "if-match" in request.headers:
                check_if_match(request, _current(member, old))
            return member.put(old, value)

        await self._resources.edit(resource_id, put, context=request.context)
        return no_content()

    async def delete(self, request: Request) -> Response:
        """Takes the value away; one that is not set may be deleted, too (SUB-11)."""
        resource_id, member = path_uuid(request, self._parameter), self._member(request)
        await self._resources.edit(resource_id, lambda old: member.put(old, UNSET), context=request.context)
        return no_content()


class Properties:
    """Everything below a flow or source that has a path of its own."""

    def __init__(self, flows: Flows, sources: Sources) -> None:
        self.flow_tags = _of_flow(flows, members.FLOW_TAGS)
        self.flow_tag = Property(
            flows,
            "flow_id",
            kind=members.TAG_VALUE,
            member=lambda r: members.tag(members.FLOW_TAGS, r.params["name"]),
        )
        self.flow_description = _of_flow(flows, members.FLOW_DESCRIPTION)
        self.flow_label = _of_flow(flows, members.FLOW_LABEL)
        self.flow_read_only = _of_flow(Unprotected(flows), members.FLOW_READ_ONLY)
        self.flow_collection = _of_flow(flows, members.FLOW_COLLECTION)
        self.flow_max_bit_rate = _of_flow(flows, members.FLOW_MAX_BIT_RATE)
        self.flow_avg_bit_rate = _of_flow(flows, members.FLOW_AVG_BIT_RATE)
        self.source_tags = _of_source(sources, members.SOURCE_TAGS)
        self.source_tag = Property(
            sources,
            "source_id",
            kind=members.TAG_VALUE,
            member=lambda r: members.tag(members.SOURCE_TAGS, r.params["name"]),
        )
        self.source_description = _of_source(sources, members.SOURCE_DESCRIPTION)
        self.source_label = _of_source(sources, members.SOURCE_LABEL)


def _current(member: Member[T], resource: T) -> bytes | None:
    """What GET shows; None for a tag that is not there."""
    try:
        return encode_json(member.shown(resource))
    except NotFound:
        return None


def _of_flow(flows: Resources[Flow], member: Member[Flow]) -> Property[Flow]:
    return Property(flows, "flow_id", kind=member.kind, member=lambda _: member)


def _of_source(sources: Resources[Source], member: Member[Source]) -> Property[Source]:
    return Property(sources, "source_id", kind=member.kind, member=lambda _: member)
