"""Which URLs a request gets, where several backends hold instances (SEG-11 to SEG-19), and how backends are listed."""

import json
from pathlib import Path

import pytest

from tams_common.config import Common
from tams_common.http.app import ServiceApp
from tams_common.http.query import Params
from tams_common.http.routing import Route
from tams_common.ids import StorageId
from tams_common.objects import Backend
from tams_common.objects.local import LocalObjects
from tams_segments.handlers.storage import ListBackends
from tams_segments.tables import MediaObject
from tams_segments.urls import UrlQuery, UrlWriter
from tests.common.http_client import Client
from tests.segments.rig import object_id

FAST, SLOW, BARE = object_id(1), object_id(2), object_id(3)


def backend(number: str, label: str | None, **tags: str | list[str]) -> LocalObjects:
    made = LocalObjects(Path("unused"), url_lifetime=300)
    made.backend = Backend(StorageId(number), "http_object_store", "local", "tams-local", label=label, tags=tags)
    return made


BACKENDS = (backend(FAST, "fast", tier="hot", site=["a", "b"]), backend(SLOW, "slow", tier="cold"), backend(BARE, None))
ELSEWHERE = b'[{"url":"https://x.example/1","label":"elsewhere"}]'


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "fast+elsewhere slow+elsewhere None+elsewhere"),
        ("accept_get_urls=", "+ + +"),
        ("accept_get_urls=fast", "fast+ + +"),
        ("accept_get_urls=fast,elsewhere", "fast+elsewhere +elsewhere +elsewhere"),
        (f"accept_storage_ids={SLOW},{BARE}", "+ slow+ None+"),
        ("accept_storage_ids=", "fast+elsewhere slow+elsewhere None+elsewhere"),
        ("presigned=true", "fast+ slow+ None+"),
        ("presigned=false", "+elsewhere +elsewhere +elsewhere"),
        ("storage_backend_tag.tier=hot,warm", "fast+ + +"),
        ("storage_backend_tag.site=b", "fast+ + +"),
        ("storage_backend_tag_exists.tier=false", "+elsewhere +elsewhere None+elsewhere"),
        ("storage_backend_tag_exists.tier=true&accept_get_urls=slow", "+ slow+ +"),
    ],
)
def test_all_filters_have_to_hold(query: str, expected: str) -> None:
    writer = UrlWriter(UrlQuery.parse(Params.parse(query)), BACKENDS, base_url="http://tams.test")
    found = []
    for number in (FAST, SLOW, BARE):
        media = MediaObject("x", "media", 0, storage_id=number, storage_key="key", instances=ELSEWHERE)
        urls = json.loads(writer.urls(media))
        controlled = [str(url.get("label")) for url in urls if url.get("presigned")]
        found.append("+".join(["".join(controlled), "".join(url["label"] for url in urls if "presigned" not in url)]))
    assert " ".join(found) == expected


def test_verbose_urls_carry_the_tags_of_their_backend() -> None:
    writer = UrlWriter(UrlQuery(verbose=True), BACKENDS, base_url="http://tams.test")
    (url,) = json.loads(writer.urls(MediaObject("x", "media", 0, storage_id=FAST, storage_key="key")))
    assert (url["tags"], url["storage_id"]) == ({"tier": "hot", "site": ["a", "b"]}, FAST)
    assert "id" not in url
    assert "default_storage" not in url


def test_an_object_that_is_gone_has_no_urls() -> None:
    assert UrlWriter(UrlQuery(), BACKENDS, base_url="").urls(None) == b"[]"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [FAST, SLOW, BARE]),
        ("reverse_order=true", [BARE, SLOW, FAST]),
        ("limit=2", [FAST, SLOW]),
        ("tag.tier=cold", [SLOW]),
        ("tag_exists.site=true", [FAST]),
    ],
)
async def test_backends_come_by_label_and_those_without_one_last(query: str, expected: list[str]) -> None:
    client = Client(ServiceApp((Route("GET", "/service/storage-backends", ListBackends(BACKENDS[::-1], Common())),)))
    answer = await client.get(f"/service/storage-backends?{query}")
    assert [item["id"] for item in answer.json()] == expected
    if query == "limit=2":
        link = answer.headers["link"].partition(">")[0].removeprefix("<")
        assert [item["id"] for item in (await client.get(link)).json()] == [BARE]
