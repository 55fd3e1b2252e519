"""The table of routes against the specification: every path and method, and whom each is for."""

from itertools import product

import pytest

from tams_api_gateway.routes import ROUTES, SPECIFICATION, Public
from tams_common.auth import ADMIN, DELETE, READ, WRITE
from tests.api_gateway.gateways import World
from tests.conformance import rule
from tests.spec import Spec

ID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
DELIVERIES = "/service/webhooks/{webhook_id}/deliveries"


def shape(path: str) -> str:
    """A path with its parameters' names taken out."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


@rule("GEN-2", "HEAD-1")
def test_every_operation_of_the_specification_has_its_route(spec: Spec) -> None:
    paths = spec.document["paths"]
    wanted = {
        (method.upper(), shape(path))
        for path, operations in paths.items()
        for method in operations
        if method in ("get", "put", "post", "delete")
    }
    heads = {shape(path) for path, operations in paths.items() if "head" in operations}
    listed = {(route.method, shape(route.path)) for route in SPECIFICATION}
    assert listed == wanted
    assert {path for method, path in listed if method == "GET"} == heads


def test_every_route_is_listed_once() -> None:
    assert len({(route.method, shape(route.path)) for route in ROUTES}) == len(ROUTES)


@rule("AUTH-10", "AUTH-11", "AUTH-12", "AUTH-13", "AUTH-14", "AUTH-15", "AUTH-16", "AUTH-17")
@pytest.mark.parametrize(
    ("method", "path", "accepted"),
    [
        ("GET", "/", {ADMIN, READ, WRITE, DELETE}),
        ("GET", "/service", {ADMIN, READ, WRITE, DELETE}),
        ("GET", "/service/storage-backends", {ADMIN, READ, WRITE, DELETE}),
        ("POST", "/service", {ADMIN}),
        ("GET", "/flow-delete-requests", {ADMIN}),
        ("GET", "/flow-delete-requests/{request_id}", {DELETE}),
        ("DELETE", "/flows/{flow_id}", {DELETE}),
        ("DELETE", "/flows/{flow_id}/segments", {DELETE}),
        ("DELETE", "/flows/{flow_id}/label", {WRITE}),
        ("DELETE", "/objects/{object_id}/instances", {WRITE}),
        ("PUT", "/flows/{flow_id}/read_only", {WRITE}),
        ("POST", "/flows/{flow_id}/storage", {WRITE}),
        ("PUT", "/service/webhooks/{webhook_id}", {READ, WRITE}),
        ("GET", DELIVERIES, {READ}),
        ("POST", f"{DELIVERIES}/replay", {READ, WRITE}),
        ("GET", "/events", {READ}),
        ("GET", "/asyncapi.json", {ADMIN, READ, WRITE, DELETE}),
        ("GET", "/service/profiles", {READ}),
        ("POST", "/service/profiles/{profile_id}", {WRITE}),
    ],
)
def test_scopes_of_the_application_note(method: str, path: str, accepted: set[str]) -> None:
    assert [route.scopes for route in ROUTES if (route.method, route.path) == (method, path)] == [frozenset(accepted)]


def concrete(route: Public) -> str:
    return "/".join(ID if part.startswith("{") else part for part in route.path.split("/"))


@rule("AUTH-10", "ERR-6")
@pytest.mark.parametrize(("route", "token"), list(product(ROUTES, ("read", "write", "delete"))))
async def test_each_token_reaches_what_its_scope_permits(route: Public, token: str) -> None:
    permitted = route.scopes is None or f"tams-api/{token}" in route.scopes
    client = World().client(token)
    answer = await client.send(route.method, concrete(route), body=b"{}", expect=200 if permitted else 403)
    if not permitted:
        assert "scope" in answer.json()["detail"]


@rule("AUTH-1", "AUTH-2", "AUTH-10", "ERR-5")
@pytest.mark.parametrize("route", ROUTES)
async def test_admin_reaches_everything_and_nobody_nothing(route: Public) -> None:
    world = World()
    await world.client("all").send(route.method, concrete(route), expect=200)
    expected = 200 if route.scopes is None else 401
    answer = await world.client(None).send(route.method, concrete(route), expect=expected)
    if route.scopes is not None:
        assert answer.headers["www-authenticate"].startswith("Bearer")
