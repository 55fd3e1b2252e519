"""The paths that catalog answers. A GET answers HEAD, too (HEAD-1)."""

from typing import TypeVar

from tams_catalog import operations as ops
from tams_catalog.handlers import Handlers
from tams_catalog.properties import Properties, Property
from tams_catalog.service_handlers import ServiceHandlers
from tams_common.http.routing import Route

T = TypeVar("T")


def routes(h: Handlers, p: Properties, *, s: ServiceHandlers) -> tuple[Route, ...]:
    """In the order of the specification, then what other services ask."""
    return (
        Route("GET", "/", s.root, operation=ops.ROOT),
        Route("GET", "/service", s.show, operation=ops.GET_SERVICE),
        Route("POST", "/service", s.change, operation=ops.POST_SERVICE),
        Route("GET", "/service/profiles", s.profiles, operation=ops.LIST_PROFILES),
        Route("GET", "/service/profiles/{profile_id}", s.profile, operation=ops.GET_PROFILE),
        Route("POST", "/service/profiles/{profile_id}", s.post_profile, operation=ops.POST_PROFILE),
        Route("GET", "/sources", h.sources, operation=ops.LIST_SOURCES),
        Route("GET", "/sources/{source_id}", h.source, operation=ops.GET_SOURCE),
        _readable("/sources/{source_id}/tags", "tags of a source", property_=p.source_tags),
        *_editable("/sources/{source_id}/tags/{name}", "tag of a source", property_=p.source_tag),
        *_editable("/sources/{source_id}/description", "description of a source", property_=p.source_description),
        *_editable("/sources/{source_id}/label", "label of a source", property_=p.source_label),
        Route("GET", "/flows", h.flows, operation=ops.LIST_FLOWS),
        Route("GET", "/flows/{flow_id}", h.flow, operation=ops.GET_FLOW),
        Route("PUT", "/flows/{flow_id}", h.put_flow, operation=ops.PUT_FLOW),
        Route("DELETE", "/flows/{flow_id}", h.delete_flow, operation=ops.DELETE_FLOW),
        _readable("/flows/{flow_id}/tags", "tags of a flow", property_=p.flow_tags),
        *_editable("/flows/{flow_id}/tags/{name}", "tag of a flow", property_=p.flow_tag),
        *_editable("/flows/{flow_id}/description", "description of a flow", property_=p.flow_description),
        *_editable("/flows/{flow_id}/label", "label of a flow", property_=p.flow_label),
        _readable("/flows/{flow_id}/read_only", "read-only mark of a flow", property_=p.flow_read_only),
        _writable("/flows/{flow_id}/read_only", "read-only mark of a flow", property_=p.flow_read_only),
        *_editable("/flows/{flow_id}/flow_collection", "collection of a flow", property_=p.flow_collection),
        *_editable(
            "/flows/{flow_id}/max_bit_rate", "maximum bit rate of a flow, in 1000 bit/s", property_=p.flow_max_bit_rate
        ),
        *_editable(
            "/flows/{flow_id}/avg_bit_rate", "average bit rate of a flow, in 1000 bit/s", property_=p.flow_avg_bit_rate
        ),
        Route("GET", "/internal/flows/{flow_id}/facts", h.facts),
        Route("PUT", "/internal/flows/{flow_id}/deletion", h.flow_deleted),
    )


def _readable(path: str, what: str, *, property_: Property[T]) -> Route:
    return Route("GET", path, property_.get, operation=ops.get_member(what, property_.kind))


def _writable(path: str, what: str, *, property_: Property[T]) -> Route:
    return Route("PUT", path, property_.put, operation=ops.put_member(what, property_.kind))


def _editable(path: str, what: str, *, property_: Property[T]) -> tuple[Route, ...]:
    return (
        _readable(path, what, property_=property_),
        _writable(path, what, property_=property_),
        Route("DELETE", path, property_.delete, operation=ops.delete_member(what)),
    )
