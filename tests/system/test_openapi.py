"""`/openapi.json` against the specification's document: the same operations, parameters, statuses and members."""

import re
from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec
import pytest
import schemathesis

from tests.conformance import rule
from tests.spec import Spec
from tests.system.api import Api
from tests.system.openapi import Document

pytestmark = pytest.mark.asyncio(loop_scope="module")

Operation: TypeAlias = tuple[str, str]

OTHER_STATUSES: dict[Operation, tuple[set[str], set[str]]] = {
    # Bad query options are refused on every list (PAG-5, PAG-18, GEN-7).
    **{(method, "/service/storage-backends"): ({"400"}, set()) for method in ("GET", "HEAD")},
    **{(method, "/flow-delete-requests"): ({"400"}, set()) for method in ("GET", "HEAD")},
    # Webhooks are supported here, so that the 404 that says otherwise is never given.
    **{(method, "/service/webhooks"): ({"400"}, {"404"}) for method in ("GET", "HEAD")},
    ("POST", "/service/webhooks"): (set(), {"404"}),
    # A scope that is missing is a 403 everywhere; here the document forgets it (AUTH-17).
    ("POST", "/service/profiles/{profileId}"): ({"403"}, set()),
}
"""Statuses that only we have, and that only the specification has."""
OTHER_MEMBERS: dict[Operation, tuple[set[str], set[str]]] = {
    # The prose's spelling of content_type (T-5).
    ("POST", "/flows/{flowId}/storage"): ({"$.content-type"}, set()),
    # What only the store sets is passed over (FLW-17, FLW-18, PRF-9).
    ("PUT", "/flows/{flowId}"): (
        set(),
        {"$.collected_by", "$.created", "$.metadata_updated", "$.segments_updated", "$.timerange"},
    ),
    ("POST", "/service/profiles/{profileId}"): (set(), {"$.created"}),
}
"""Members of bodies that we take and they do not, and the other way round."""
OURS = {"$.failed_segments[].error.field"}
"""Members of answers that the specification does not have: it leaves them open there."""


@pytest.fixture(scope="module")
def theirs(spec: Spec) -> Document:
    """The specification's document."""
    return Document(spec.document, lambda name: msgspec.json.decode((spec.root / name).read_bytes()))


async def ours(api: Api) -> Document:
    """The document of the running store, which refers to no files."""
    return Document((await api.get("/openapi.json")).json(), lambda name: pytest.fail(f"refers to the file {name}"))


async def common(api: Api, theirs: Document) -> dict[Operation, tuple[Document, Any, Any]]:
    """The operations of both documents: ours, then theirs."""
    document = await ours(api)
    mine = document.operations()
    return {key: (document, mine[key], found) for key, found in theirs.operations().items() if key in mine}


async def test_the_document_is_valid(memory_api: Api) -> None:
    schemathesis.openapi.from_dict((await memory_api.get("/openapi.json")).json()).validate()


@rule("GEN-2")
async def test_every_operation_is_there(memory_api: Api, theirs: Document) -> None:
    assert set(theirs.operations()) - set((await ours(memory_api)).operations()) == set()


async def test_every_other_operation_is_marked_as_ours(memory_api: Api, theirs: Document) -> None:
    for key, operation in (await ours(memory_api)).operations().items():
        assert (operation["tags"] == ["Extensions"]) is (key not in theirs.operations()), key


async def test_parameters_are_the_same(memory_api: Api, theirs: Document) -> None:
    for key, (document, mine, given) in (await common(memory_api, theirs)).items():
        assert document.parameters(mine) == theirs.parameters(given), key


@rule("GEN-2")
async def test_statuses_are_the_same(memory_api: Api, theirs: Document) -> None:
    for key, (_, mine, given) in (await common(memory_api, theirs)).items():
        more, fewer = OTHER_STATUSES.get(key, (set(), set()))
        assert set(mine["responses"]) == (set(given.get("responses", {})) | more) - fewer, key


async def test_bodies_take_the_same_members(memory_api: Api, theirs: Document) -> None:
    for key, (document, mine, given) in (await common(memory_api, theirs)).items():
        taken, wanted = document.request(mine), theirs.request(given)
        more, fewer = OTHER_MEMBERS.get(key, (set(), set()))
        assert set(taken) == (set(wanted) | more) - fewer, key


async def test_answers_show_what_is_required_and_nothing_unknown(memory_api: Api, theirs: Document) -> None:
    for key, (document, mine, given) in (await common(memory_api, theirs)).items():
        for status in set(mine["responses"]) & set(given["responses"]) & {"200", "201", "202"}:
            shown, known = document.answer(mine, status), theirs.answer(given, status)
            assert set(shown) - set(known) <= OURS, (key, status)
            required = {name for name, how in known.items() if how == "required"}
            assert required <= set(shown), (key, status)


async def test_the_example_of_every_body_is_taken_as_it_stands(memory_api: Api) -> None:
    paths = (await memory_api.get("/openapi.json")).json()["paths"]
    bodies = {
        (path, method): content["application/json"]
        for path, item in paths.items()
        for method in ("put", "post")
        if "application/json" in (content := item.get(method, {}).get("requestBody", {}).get("content", {}))
    }
    plain = {path for (path, _), body in bodies.items() if "example" not in body}
    assert all(re.match(r"/(flows|sources)/{\w+}/", path) for path in plain), "only bare values need no example"
    first = [("/flows/{flowId}", "put"), ("/flows/{flowId}/storage", "post"), ("/flows/{flowId}/segments", "post")]
    webhook = ""
    for path, method in dict.fromkeys([*first, *bodies]):
        if path in plain:
            continue
        example = bodies[path, method]["example"]
        names = {one["name"]: quote(one.get("example", webhook), safe="") for one in paths[path].get("parameters", ())}
        if path == "/service/webhooks/{webhookId}":
            example["id"] = webhook
        url = path.replace("{", "{0[").replace("}", "]}").format(names)
        answer = await memory_api.call(method.upper(), url, json=example, expect=(200, 201, 202))
        if path == "/service/webhooks":
            webhook = answer.json()["id"]
    await memory_api.delete(f"/service/webhooks/{webhook}")
