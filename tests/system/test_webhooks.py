"""Webhooks of a running store: who may do what, and every answer as the specification's tables have it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.conformance import rule
from tests.spec import Spec
from tests.system import processes
from tests.system.api import Api
from tests.system.assemblies import in_this_process
from tests.system.conformance import ConformingApi, Tables
from tests.system.words import new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOOKS = "/service/webhooks"
TOKENS = {"reader": "tams-api/read", "writer": "tams-api/write", "remover": "tams-api/delete"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ConformingApi]:
    """An admin's client; for each of TOKENS there is a token of that name and a dozen of digits."""
    tokens = tmp_path_factory.mktemp("tokens") / "tokens"
    tokens.write_text("".join(f"{token_of(name)} {name} {scope}\n" for name, scope in TOKENS.items()))
    environ = {"TAMS_API_GATEWAY_TOKENS_FILE": str(tokens)}
    async with in_this_process(environ) as store, ConformingApi(store, Tables(spec)) as conforming:
        yield conforming


def token_of(name: str) -> str:
    return f"{name}-0123456789ab"


def body(**more: object) -> dict[str, Any]:
    """A minimal valid webhook."""
    return {"url": "http://127.0.0.1:9/hook", "events": ["flows/created"]} | more


@rule("WHK-2", "WHK-3", "WHK-8", "WHK-9", "WHK-12", "WHK-34", "HEAD-1", "ERR-4", "GEN-1")
async def test_every_answer_is_as_the_specification_has_it(api: ConformingApi, spec: Spec) -> None:
    for tags in ({"a": "x"}, {"a": ["y", "x"]}, {}):
        await api.post(HOOKS, spec.example("webhook-post") | {"url": "http://127.0.0.1:9/", "tags": tags})
    for query in ("", "?limit=2", "?limit=100000", "?reverse_order=true&limit=1", "?tag.a=x", "?tag_exists.a=false"):
        for page in await api.pages(HOOKS + query):
            assert int(page.headers["X-Paging-Count"]) == len(page.json())
        await api.head(HOOKS + query)
    assert len(await api.all(f"{HOOKS}?tag.a=x&limit=1")) == 2
    shown = (await api.post(HOOKS, body(tags={"a": "x,y"}))).json()
    assert [found | {"status": "created"} for found in await api.all(f"{HOOKS}?tag.a=x%2Cy")] == [shown]
    path = f"{HOOKS}/{shown['id']}"
    await api.post(HOOKS, body(events=["flows/smelled"]), expect=400)
    await api.post(HOOKS, body(url="http://169.254.169.254/"), expect=400)
    for found, status in ((path, 200), (f"{HOOKS}/{new_id()}", 404), (f"{HOOKS}/nothing", 404)):
        await api.get(found, expect=status)
        await api.head(found, expect=status)
    await api.put(path, shown | {"status": "disabled"}, expect=201)
    await api.put(path, shown | {"status": "started"}, expect=400)
    await api.put(path, shown | {"id": new_id()}, expect=404)
    await api.delete(path)
    await api.delete(path, expect=404)
    await api.put(path, shown, expect=404)


@rule("WHK-31", "AUTH-13", "AUTH-14", "AUTH-16")
async def test_scopes_and_owners(api: ConformingApi) -> None:
    async with (
        Api(api.url, token_of("reader")) as reader,
        Api(api.url, token_of("writer")) as writer,
        Api(api.url, token_of("remover")) as remover,
    ):
        await reader.post(HOOKS, body(), expect=403)
        await remover.post(HOOKS, body(), expect=403)
        shown = (await writer.post(HOOKS, body())).json()
        path = f"{HOOKS}/{shown['id']}"
        await writer.get(path, expect=403)
        await writer.put(path, shown | {"tags": {"mine": "yes"}}, expect=201)
        assert shown["id"] not in {webhook["id"] for webhook in await reader.all(HOOKS)}
        for method in ("GET", "HEAD", "DELETE"):
            await reader.call(method, path, expect=404)
        await reader.put(path, shown, expect=404)
        for method in ("GET", "PUT", "DELETE"):
            await remover.call(method, path, expect=403, json=shown)
        assert (await api.get(path)).json()["tags"] == {"mine": "yes"}
        await writer.delete(path)
        await api.get(path, expect=404)


@rule("WHK-33")
async def test_the_service_does_not_start_without_a_key(tmp_path: Path) -> None:
    environ = {"TAMS_STORE_URL": f"sqlite:{tmp_path}", "TAMS_BUS_URL": f"sqlite:{tmp_path}"}
    assert (await processes.run("tables", "migrate", environ=environ))[0] == 0
    status, output = await processes.run("run", "webhooks", "--listen", "127.0.0.1:0", environ=environ)
    assert status == 1
    assert "TAMS_WEBHOOKS_ENCRYPTION_KEYS" in output
    assert "Traceback" not in output
