"""The paths that catalog answers. A GET answers HEAD, too (HEAD-1)."""

from typing import TypeVar

from tams_catalog.handlers import Handlers
from tams_catalog.properties import Properties, Property
from tams_catalog.service_handlers import ServiceHandlers
from tams_common.http.routing import Route

T = TypeVar("T")


def routes(s: ServiceHandlers, h: Handlers, p: Properties) -> tuple[Route, ...]:
    """In the order of the specification, then what other services ask."""
    return (
        Route("GET", "/", s.root),
        Route("GET", "/service", s.show),
        Route("POST", "/service", s.change),
        Route("GET", "/service/profiles", s.profiles),
        Route("GET", "/service/profiles/{profile_id}", s.profile),
        Route("POST", "/service/profiles/{profile_id}", s.post_profile),
        Route("GET", "/sources", h.sources),
        Route("GET", "/sources/{source_id}", h.source),
        Route("GET", "/sources/{source_id}/tags", p.source_tags.get),
        *_editable("/sources/{source_id}/tags/{name}", p.source_tag),
        *_editable("/sources/{source_id}/description", p.source_description),
        *_editable("/sources/{source_id}/label", p.source_label),
        Route("GET", "/flows", h.flows),
        Route("GET", "/flows/{flow_id}", h.flow),
        Route("PUT", "/flows/{flow_id}", h.put_flow),
        Route("DELETE", "/flows/{flow_id}", h.delete_flow),
        Route("GET", "/flows/{flow_id}/tags", p.flow_tags.get),
        *_editable("/flows/{flow_id}/tags/{name}", p.flow_tag),
        *_editable("/flows/{flow_id}/description", p.flow_description),
        *_editable("/flows/{flow_id}/label", p.flow_label),
        Route("GET", "/flows/{flow_id}/read_only", p.flow_read_only.get),
        Route("PUT", "/flows/{flow_id}/read_only", p.flow_read_only.put),
        *_editable("/flows/{flow_id}/flow_collection", p.flow_collection),
        *_editable("/flows/{flow_id}/max_bit_rate", p.flow_max_bit_rate),
        *_editable("/flows/{flow_id}/avg_bit_rate", p.flow_avg_bit_rate),
        Route("GET", "/internal/flows/{flow_id}/facts", h.facts),
    )


def _editable(path: str, property_: Property[T]) -> tuple[Route, ...]:
    return (
        Route("GET", path, property_.get),
        Route("PUT", path, property_.put),
        Route("DELETE", path, property_.delete),
    )
