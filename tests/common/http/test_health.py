from prometheus_client import CollectorRegistry

from tams_common.errors import Unavailable
from tams_common.http.app import ServiceApp
from tams_common.http.codec import json_response
from tams_common.http.health import WithHealth
from tams_common.http.message import Request, Response
from tams_common.http.routing import Route
from tams_common.metrics import RequestMetrics, process_registry
from tests.common.http_client import Client


async def hello(request: Request) -> Response:
    return json_response("hello")


APP = ServiceApp([Route("GET", "/hello", hello)])


async def test_ready_asks_every_check() -> None:
    state = {"up": True}

    async def check() -> None:
        if not state["up"]:
            raise Unavailable("the tables do not answer")

    client = Client(WithHealth(APP, [check]))
    assert (await client.get("/readyz")).json() == {"status": "ready"}
    state["up"] = False
    problem = (await client.get("/readyz", expect=503)).json()
    assert problem["detail"] == "the tables do not answer"
    assert (await client.get("/healthz")).json() == {"status": "ok"}


async def test_everything_else_is_the_apps() -> None:
    client = Client(WithHealth(APP, []))
    assert (await client.get("/hello")).json() == "hello"
    await client.get("/healthz/x", expect=404)
    await client.head("/healthz")


async def test_metrics_by_route() -> None:
    registry = process_registry()
    metrics = RequestMetrics(registry)
    for _ in range(3):
        metrics.observe("/flows/{flow_id}", "GET", status=200, seconds=0.002)
    answer = await Client(WithHealth(APP, [], registry)).get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    text = answer.body.decode()
    assert 'tams_requests_total{method="GET",route="/flows/{flow_id}",status="200"} 3.0' in text
    assert 'tams_request_seconds_count{method="GET",route="/flows/{flow_id}"} 3.0' in text


async def test_registries_are_apart() -> None:
    RequestMetrics(CollectorRegistry())
    RequestMetrics(CollectorRegistry())
    assert (await Client(WithHealth(APP, [])).get("/metrics")).body == b""
