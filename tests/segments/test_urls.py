"""Which URLs a request gets, where several backends hold instances (SEG-11 to SEG-19), and how backends are listed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from tams_common.clock import ManualClock
from tams_common.config import Common
from tams_common.errors import Unavailable
from tams_common.http.app import ServiceApp
from tams_common.http.query import Params
from tams_common.http.routing import Route
from tams_common.ids import StorageId
from tams_common.objects import Backend, Objects
from tams_common.objects.declared import Kind, S3Backend
from tams_common.objects.local import LocalObjects
from tams_common.objects.s3 import S3Objects
from tams_segments.handlers.storage import ListBackends
from tams_segments.instances import Controlled, Instance, Uncontrolled, instances_of, with_instances
from tams_segments.tables import MediaObject
from tams_segments.urls import UrlQuery, UrlWriters
from tests.common.http_client import Client
from tests.conformance import rule
from tests.segments.rig import object_id

FAST, SLOW, BARE, BOTH, PLAIN, CLOSED = map(object_id, range(1, 7))
ELSEWHERE = Uncontrolled("https://x.example/1", "elsewhere")
NOTHING = MediaObject("x", "media", 0)


def backend(number: str, label: str | None, **tags: str | list[str]) -> LocalObjects:
    made = LocalObjects(Path("unused"), url_lifetime=300)
    made.backend = Backend(StorageId(number), "http_object_store", "local", "tams-local", label=label, tags=tags)
    return made


def bucket(number: str, label: str, *kinds: Kind) -> S3Objects:
    """A backend that was never opened: it has no keys to sign with."""
    declared = S3Backend(id=number, bucket="media", label=label, get_urls=kinds, plain_url="https://cdn.example/m")
    return S3Objects(declared, url_lifetime=300, clock=ManualClock())


BACKENDS: tuple[Objects, ...] = (
    backend(FAST, "fast", tier="hot", site=["a", "b"]),
    backend(SLOW, "slow", tier="cold"),
    backend(BARE, None),
    bucket(PLAIN, "cdn", "plain"),
    bucket(CLOSED, "closed", "presigned", "plain"),
)


def held(*instances: Instance) -> MediaObject:
    """An object with these instances."""
    return with_instances(NOTHING, instances)


def shown(query: str, known: MediaObject, *, writers: UrlWriters | None = None) -> list[dict[str, Any]]:
    """The URLs that a request with `query` gets of an object."""
    made = writers or UrlWriters(BACKENDS, CollectorRegistry())
    found = made.writer(UrlQuery.parse(Params.parse(query)), "http://tams.test").urls(known)
    return msgspec.json.decode(found, type=list[dict[str, Any]])


def labels(urls: Iterable[dict[str, Any]]) -> list[str]:
    return [str(url.get("label")) for url in urls]


SELECTED = [
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
    (f"presigned=true&accept_get_urls=fast,slow&accept_storage_ids={SLOW}", "+ slow+ +"),
]


@rule("SEG-11", "SEG-12", "SEG-13", "SEG-14", "SEG-15", "SEG-18", "SEG-19")
@pytest.mark.parametrize(("query", "expected"), SELECTED)
def test_all_filters_have_to_hold(query: str, expected: str) -> None:
    found = []
    for number in (FAST, SLOW, BARE):
        urls = shown(query, held(Controlled(number, "key"), ELSEWHERE))
        controlled = labels(url for url in urls if url.get("presigned"))
        found.append("+".join(["".join(controlled), "".join(labels(url for url in urls if "presigned" not in url))]))
    assert " ".join(found) == expected


@rule("SEG-19")
@pytest.mark.parametrize(("query", "expected"), SELECTED)
def test_filters_choose_among_the_instances_of_one_object(query: str, expected: str) -> None:
    wanted = {name for part in expected.split() for name in part.split("+") if name}
    everywhere = held(ELSEWHERE, *(Controlled(number, f"key-{number}") for number in (FAST, SLOW, BARE)))
    assert set(labels(shown(query, everywhere))) == wanted


@rule("SEG-16", "SEG-17", "URL-5", "OBJ-9", "STB-9")
def test_verbose_urls_carry_the_tags_of_their_backend() -> None:
    known = held(Controlled(FAST, "key"), ELSEWHERE)
    terse, verbose = shown("", known), shown("verbose_storage=true", known)
    assert [set(url) for url in terse] == [{"url", "presigned", "label"}, {"url", "label"}]
    assert verbose[0] == terse[0] | {
        "controlled": True,
        "storage_id": FAST,
        "store_type": "http_object_store",
        "provider": "local",
        "store_product": "tams-local",
        "tags": {"tier": "hot", "site": ["a", "b"]},
    }
    assert verbose[1] == {"url": ELSEWHERE.url, "label": "elsewhere", "controlled": False}


@rule("URL-3", "URL-4", "URL-7")
def test_a_backend_may_offer_plain_urls() -> None:
    (url,) = shown("verbose_storage=true", held(Controlled(PLAIN, "a b")))
    assert (url["url"], url["presigned"], url["label"]) == ("https://cdn.example/m/a%20b", False, "cdn")
    assert (url["storage_id"], url["controlled"]) == (PLAIN, True)
    assert shown("presigned=true", held(Controlled(PLAIN, "key"))) == []
    assert labels(shown("accept_get_urls=cdn&presigned=false", held(Controlled(PLAIN, "key")))) == ["cdn"]


@rule("URL-3", "URL-4", "URL-8", "SEG-24")
async def test_presigned_and_plain_urls_of_an_instance_have_one_label(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTH_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("BOTH_SECRET_ACCESS_KEY", "secret")
    declared = S3Backend(
        id=BOTH, bucket="media", label="both", get_urls=("plain", "presigned"), credentials="environment:BOTH"
    )
    objects = S3Objects(declared, url_lifetime=300)
    await objects.open()
    try:
        urls = shown(
            "verbose_storage=true", held(Controlled(BOTH, "key")), writers=UrlWriters([objects], CollectorRegistry())
        )
    finally:
        await objects.close()
    assert [url["presigned"] for url in urls] == [True, False]
    assert ["X-Amz-Signature" in url["url"] for url in urls] == [True, False]
    assert [(url["label"], url["storage_id"]) for url in urls] == [("both", BOTH)] * 2


def signed(registry: CollectorRegistry, number: str) -> float | None:
    return registry.get_sample_value("tams_urls_signed_total", {"storage_id": number})


@rule("URL-12", "SEG-12")
@pytest.mark.parametrize(("query", "_"), SELECTED)
def test_nothing_is_signed_that_is_not_returned(query: str, _: str) -> None:
    registry = CollectorRegistry()
    writers = UrlWriters(BACKENDS, registry)
    known = held(Controlled(FAST, "1"), Controlled(SLOW, "2"), Controlled(BARE, "3", ready=False), ELSEWHERE)
    urls = shown(query, known, writers=writers)
    for number, label in ((FAST, "fast"), (SLOW, "slow"), (BARE, "None")):
        assert signed(registry, number) == labels(urls).count(label)


@rule("URL-12")
@pytest.mark.parametrize("query", ["presigned=false", "accept_get_urls=", "accept_get_urls=fast"])
def test_a_backend_that_cannot_sign_is_not_asked_to(query: str) -> None:
    known = held(Controlled(CLOSED, "key"), Controlled(FAST, "key"))
    with pytest.raises(Unavailable):
        shown("", known)
    with pytest.raises(Unavailable):
        shown("presigned=true", known)
    shown(query, known)
    assert labels(shown("", held(Controlled(FAST, "key")))) == ["fast"]


@rule("INS-1", "INS-8")
def test_an_instance_that_is_being_copied_is_not_shown() -> None:
    known = held(Controlled(FAST, "1"), Controlled(SLOW, "2", ready=False))
    assert labels(shown("", known)) == ["fast"]
    ready = with_instances(known, (Controlled(FAST, "1"), Controlled(SLOW, "2")))
    assert labels(shown("", ready)) == ["fast", "slow"]


def test_what_is_first_and_in_a_backend_stands_in_columns_of_its_own() -> None:
    copying = Controlled(SLOW, "2", ready=False)
    known = held(ELSEWHERE, copying)
    assert (known.storage_id, instances_of(known)) == (None, [ELSEWHERE, copying])
    made = held(ELSEWHERE, Controlled(SLOW, "2"))
    assert (made.storage_id, made.storage_key, instances_of(made)) == (SLOW, "2", [Controlled(SLOW, "2"), ELSEWHERE])
    assert held(Controlled(SLOW, "2")).instances == b""


def test_an_object_that_is_gone_has_no_urls() -> None:
    assert UrlWriters(BACKENDS, CollectorRegistry()).writer(UrlQuery(), "").urls(None) == b"[]"
    assert shown("", held(Controlled(object_id(99), "key"))) == []


@rule("STB-7", "STB-8", "SORT-1")
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
    backends = ListBackends(BACKENDS[2::-1], Common())
    client = Client(ServiceApp((Route("GET", "/service/storage-backends", backends),)))
    answer = await client.get(f"/service/storage-backends?{query}")
    assert [item["id"] for item in answer.json()] == expected
    if query == "limit=2":
        link = answer.headers["link"].partition(">")[0].removeprefix("<")
        assert [item["id"] for item in (await client.get(link)).json()] == [BARE]
