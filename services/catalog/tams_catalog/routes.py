"""The paths that catalog answers. A GET answers HEAD, too (HEAD-1)."""

from tams_catalog.handlers import Handlers
from tams_common.http.routing import Route


def routes(h: Handlers) -> tuple[Route, ...]:
    """In the order of the specification, then what other services ask."""
    return (
        Route("GET", "/", h.root),
        Route("GET", "/service", h.service),
        Route("GET", "/sources", h.sources),
        Route("GET", "/sources/{source_id}", h.source),
        Route("GET", "/flows", h.flows),
        Route("GET", "/flows/{flow_id}", h.flow),
        Route("PUT", "/flows/{flow_id}", h.put_flow),
        Route("DELETE", "/flows/{flow_id}", h.delete_flow),
        Route("GET", "/flows/{flow_id}/read_only", h.read_only),
        Route("PUT", "/flows/{flow_id}/read_only", h.put_read_only),
        Route("GET", "/internal/flows/{flow_id}/facts", h.facts),
    )
