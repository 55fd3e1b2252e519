"""What `POST /service` changes of the service document, and what stays (SVC)."""

import pytest

from tests.catalog.conftest import House
from tests.conformance import rule
from tests.spec import Spec

SET_BY_NOBODY = ("type", "api_version", "min_object_timeout", "min_presigned_url_timeout", "event_stream_mechanisms")


@rule("SVC-5", "SVC-12")
async def test_name_and_description_are_set_and_shown(house: House, spec: Spec) -> None:
    before = (await house.client.get("/service")).json()
    words = {"name": "newsroom", "description": "the store of the newsroom"}
    await house.client.post("/service", words, expect=200)
    after = (await house.client.get("/service")).json()
    assert after == before | words
    spec.schema("service").validate(after)
    await house.client.post("/service", spec.example("service-post"), expect=200)
    assert (await house.client.get("/service")).json() == before | spec.example("service-post")


@rule("SVC-14")
async def test_what_is_left_out_stays(house: House) -> None:
    await house.client.post("/service", {"name": "one", "description": "words"}, expect=200)
    await house.client.post("/service", {"name": "two"}, expect=200)
    shown = (await house.client.get("/service")).json()
    assert (shown["name"], shown["description"]) == ("two", "words")
    await house.client.post("/service", {}, expect=200)
    await house.client.post("/service", {"description": ""}, expect=200)
    shown = (await house.client.get("/service")).json()
    assert (shown["name"], shown["description"]) == ("two", "")


@rule("SVC-14", "SVC-15")
async def test_nothing_else_can_be_set(house: House) -> None:
    before = (await house.client.get("/service")).json()
    other = {"type": "mine", "api_version": "1.0", "min_object_timeout": "1:0", "media_store": {"type": "x"}, "more": 1}
    await house.client.post("/service", other, expect=200)
    after = (await house.client.get("/service")).json()
    assert after == before
    assert "media_store" not in after
    assert all(member in after for member in SET_BY_NOBODY)


@rule("SVC-13", "GEN-13", "GEN-19")
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"name":5}', b'{"name":null}', b'{"description":["a"]}'])
async def test_another_body_is_refused(house: House, body: bytes) -> None:
    await house.client.send("POST", "/service", body=body, expect=400)
    assert "name" not in (await house.client.get("/service")).json()


@rule("SVC-2", "SVC-3", "SVC-4", "SVC-8", "SVC-9", "SVC-11")
async def test_the_promises_of_the_service(house: House, spec: Spec) -> None:
    shown = (await house.client.get("/service")).json()
    spec.schema("service").validate(shown)
    assert shown["type"].startswith("urn:x-tams:service")
    assert shown["api_version"] == "8.2"
    object_timeout, url_timeout = (
        int(shown[name].split(":")[0]) for name in ("min_object_timeout", "min_presigned_url_timeout")
    )
    assert object_timeout >= 300
    assert 30 <= url_timeout <= object_timeout
    await house.client.head("/service")
