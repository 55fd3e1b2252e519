"""The paths that analytics answers: none before `/analytics/**` is built."""

from tams_common.http.routing import Route

ROUTES: tuple[Route, ...] = ()
