"""The paths that webhooks answers: none before `/service/webhooks/**` and `/events` are built; they are 404 (WHK-1)."""

from tams_common.http.routing import Route

ROUTES: tuple[Route, ...] = ()
