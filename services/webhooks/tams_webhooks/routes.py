"""The paths that webhooks answers: `/service/webhooks/**` and `/events` stand here when they are built; until then the store says 404 (WHK-1)."""

from tams_common.http.routing import Route

ROUTES: tuple[Route, ...] = ()
