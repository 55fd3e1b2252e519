"""The paths that analytics answers: `/analytics/**` stand here when they are built; until then the store says 404."""

from tams_common.http.routing import Route

ROUTES: tuple[Route, ...] = ()
