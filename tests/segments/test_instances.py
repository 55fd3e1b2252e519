"""Instances of objects over the API: asked for, shown when they are ready, taken away again (INS)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tams_common.ids import StorageId
from tams_common.objects import Backend
from tams_common.objects.local import LocalObjects
from tams_common.store import Query
from tams_segments.instances import controlled
from tams_segments.tables import COPIES, GARBAGE, OBJECTS, CopyJob, MediaObject
from tests.conformance import rule
from tests.segments.rig import FLOW, Rig, object_id, running, segment

SEGMENTS = f"/flows/{FLOW}/segments"
A, B, INIT = object_id(1), object_id(2), object_id(9)
LOCAL, SECOND, THIRD = object_id(100), object_id(101), object_id(102)
ELSEWHERE = {"url": "https://elsewhere.example/1?a=b", "label": "elsewhere"}
MEDIA = b"media" * 1000


def directory(place: Path, number: str, *, label: str | None) -> LocalObjects:
    """A backend in a directory of its own."""
    backend = Backend(StorageId(number), "http_object_store", "local", "tams-local", label=label)
    return LocalObjects(place, url_lifetime=300, backend=backend)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """An object that is registered and uploaded to the first of three backends, the last of which has no label."""
    more = (directory(tmp_path / "second", SECOND, label="second"), directory(tmp_path / "third", THIRD, label=None))
    async with running(tmp_path / "media", more=more) as made:
        made.catalog.put(FLOW)
        await made.allocate(A, B)
        await made.upload(A, MEDIA)
        await made.client.post(SEGMENTS, segment(A, "[0:0_1:0)"))
        yield made


def instances(name: str = A) -> str:
    return f"/objects/{quote(name, safe='')}/instances"


async def labels(rig: Rig, name: str = A) -> list[str | None]:
    """The labels of the object's URLs, the same on the object and on segments."""
    shown = (await rig.client.get(f"/objects/{quote(name, safe='')}")).json()["get_urls"]
    for item in (await rig.client.get(f"{SEGMENTS}?object_id={quote(name, safe='')}")).json():
        assert item["get_urls"] == shown
    return [url.get("label") for url in shown]


async def stored(rig: Rig, name: str = A) -> MediaObject:
    found = await rig.store.read(lambda tx: tx.get(OBJECTS, (name,)))
    assert found is not None
    return found


async def jobs(rig: Rig) -> list[CopyJob]:
    return (await rig.store.read(lambda tx: tx.scan(COPIES, Query()))).rows


async def refused(rig: Rig, body: object) -> str:
    """The field that a refusal names."""
    return str((await rig.client.post(instances(), body, expect=400)).json()["field"])


@rule("INS-1", "INS-8", "INS-11", "INS-15", "SEG-25", "OBJ-7")
async def test_a_copy_is_shown_when_it_is_complete_and_goes_when_it_is_deleted(rig: Rig) -> None:
    await rig.client.post(instances(), {"storage_id": SECOND})
    assert await labels(rig) == ["local"]
    await rig.copies.sweep()
    assert await labels(rig) == ["local", "second"]
    assert await jobs(rig) == []
    original, copy = controlled(await stored(rig))
    second = rig.parts.objects[1]
    info = await second.head(copy.storage_key)
    assert info is not None
    assert (info.size, info.content_type) == (len(MEDIA), "video/mp2t")
    for url in (await rig.client.get(f"/objects/{A}")).json()["get_urls"]:
        assert (await rig.client.get(url["url"])).body == MEDIA
    await rig.client.delete(f"{instances()}?storage_id={rig.objects.backend.id}")
    assert await labels(rig) == ["second"]
    assert await rig.objects.head(original.storage_key) is not None
    await rig.collector.sweep()
    assert await rig.objects.head(original.storage_key) is None
    assert await second.head(copy.storage_key) == info


@rule("INS-2", "INS-11", "TMO-7", "URL-5")
async def test_a_url_elsewhere_is_only_written_down(rig: Rig) -> None:
    await rig.client.post(instances(), ELSEWHERE)
    assert await labels(rig) == ["local", "elsewhere"]
    shown = (await rig.client.get(f"/objects/{A}?verbose_storage=true&accept_get_urls=elsewhere")).json()["get_urls"]
    assert shown == [ELSEWHERE | {"controlled": False}]
    await rig.client.delete(f"{instances()}?label=elsewhere")
    assert await labels(rig) == ["local"]
    assert (await rig.store.read(lambda tx: tx.scan(GARBAGE, Query()))).rows == []


@rule("INS-3", "GEN-19")
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": "https://a.example/1"},
        {"label": "a"},
        {"storage_id": SECOND, **ELSEWHERE},
        {"storage_id": "second"},
        {"storage_id": None},
        {"url": "", "label": "a"},
        {"url": 1, "label": "a"},
        [],
        "text",
    ],
)
async def test_a_body_has_one_form(rig: Rig, body: object) -> None:
    await rig.client.post(instances(), body, expect=400)
    assert await labels(rig) == ["local"]


@rule("INS-3", "GEN-19")
async def test_half_a_url_beside_a_backend_is_passed_over(rig: Rig) -> None:
    await rig.client.send("POST", instances(), expect=400)
    await rig.client.post(instances(), {"storage_id": SECOND, "label": "mine"})
    await rig.client.post(instances(), {"storage_id": THIRD, "url": "https://a.example/1"})
    await rig.copies.sweep()
    assert await labels(rig) == ["local", "second", None]


@rule("INS-4")
async def test_a_backend_holds_one_instance(rig: Rig) -> None:
    assert await refused(rig, {"storage_id": object_id(404)}) == "$.storage_id"
    assert await refused(rig, {"storage_id": str(rig.objects.backend.id)}) == "$.storage_id"
    await rig.client.post(instances(), {"storage_id": SECOND})
    assert await refused(rig, {"storage_id": SECOND}) == "$.storage_id"
    await rig.copies.sweep()
    assert await refused(rig, {"storage_id": SECOND}) == "$.storage_id"


@rule("INS-5", "SGP-16")
@pytest.mark.parametrize("label", ["local", "second", "elsewhere"])
async def test_labels_tell_instances_apart(rig: Rig, label: str) -> None:
    await rig.client.post(instances(), ELSEWHERE)
    assert await refused(rig, {"url": "https://a.example/2", "label": label}) == "$.label"


async def test_instances_fit_into_a_row(rig: Rig) -> None:
    for number in range(7):
        await rig.client.post(instances(), {"url": "u" * 8192, "label": str(number)})
    assert await refused(rig, {"url": "u" * 8192, "label": "last"}) == "$.url"
    assert await refused(rig, {"url": "u" * 8193, "label": "long"}) == "$.url"
    assert len(await labels(rig)) == 8


@rule("INS-9", "STO-18", "OBJ-2")
async def test_objects_that_are_not_registered_have_no_instances(rig: Rig) -> None:
    for name in (B, "unknown"):
        await rig.client.post(instances(name), {"storage_id": SECOND}, expect=404)
        await rig.client.post(instances(name), ELSEWHERE, expect=404)
        await rig.client.delete(f"{instances(name)}?label=local", expect=404)


@rule("INS-10", "INS-13", "GEN-8")
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?storage_id=second", 400),
        ("?label=a&label=b", 400),
        (f"?storage_id={SECOND}", 404),
        ("?label=second", 404),
        ("?label=nothing", 404),
        ("?label=", 404),
        (f"?storage_id={SECOND}&label=second", 404),
        ("?storage_id={local}&label=elsewhere", 400),
        ("?storage_id={local}&label=local", 204),
        ("?label=local", 204),
        ("?storage_id={local}", 204),
    ],
)
async def test_a_deletion_names_one_instance(rig: Rig, query: str, status: int) -> None:
    await rig.client.post(instances(), ELSEWHERE)
    await rig.client.delete(instances() + query.format(local=rig.objects.backend.id), expect=status)
    assert await labels(rig) == (["elsewhere"] if status == 204 else ["local", "elsewhere"])


@rule("INS-12")
async def test_the_last_instance_stays(rig: Rig) -> None:
    await rig.client.delete(f"{instances()}?label=local", expect=400)
    await rig.client.post(instances(), {"storage_id": SECOND})
    await rig.client.delete(f"{instances()}?label=local", expect=400)
    await rig.copies.sweep()
    await rig.client.delete(f"{instances()}?label=local")
    await rig.client.delete(f"{instances()}?label=second", expect=400)
    await rig.client.post(instances(), ELSEWHERE)
    await rig.client.delete(f"{instances()}?label=second")
    await rig.client.delete(f"{instances()}?label=elsewhere", expect=400)
    assert await labels(rig) == ["elsewhere"]


@rule("INS-7", "INS-14", "INI-11", "OBJ-1")
async def test_init_objects_have_instances_of_their_own(rig: Rig) -> None:
    rig.catalog.put(FLOW, init_segments=True)
    await rig.client.delete(SEGMENTS)
    await rig.allocate(INIT)
    await rig.upload(INIT, b"init", content_type="video/mp4")
    await rig.upload(B, MEDIA)
    await rig.client.post(SEGMENTS, segment(B, "[0:0_1:0)", init_object_id=INIT))
    await rig.client.post(instances(B), {"storage_id": SECOND})
    await rig.copies.sweep()
    assert (await labels(rig, B), await labels(rig, INIT)) == (["local", "second"], ["local"])
    await rig.client.post(instances(INIT), {"storage_id": THIRD})
    await rig.client.post(instances(INIT), ELSEWHERE)
    await rig.copies.sweep()
    assert (await labels(rig, B), await labels(rig, INIT)) == (["local", "second"], ["local", None, "elsewhere"])
    (item,) = (await rig.client.get(SEGMENTS)).json()
    assert [url.get("label") for url in item["init_object"]["get_urls"]] == ["local", None, "elsewhere"]
    await rig.client.delete(f"{instances(B)}?label=local")
    await rig.client.delete(f"{instances(INIT)}?storage_id={THIRD}")
    assert (await labels(rig, B), await labels(rig, INIT)) == (["second"], ["local", "elsewhere"])


@rule("OBJ-13", "TMO-2")
async def test_all_instances_go_with_the_last_reference(rig: Rig) -> None:
    await rig.client.post(instances(), {"storage_id": SECOND})
    await rig.copies.sweep()
    places = list(zip(rig.parts.objects, controlled(await stored(rig)), strict=False))
    await rig.client.post(instances(), {"storage_id": THIRD})
    await rig.client.delete(SEGMENTS)
    await rig.client.get(f"/objects/{A}", expect=404)
    await rig.copies.sweep()
    await rig.collector.sweep()
    for objects, place in places:
        assert await objects.head(place.storage_key) is None
    assert await jobs(rig) == []


@rule("GEN-6", "OBJ-1")
@pytest.mark.parametrize("name", ["a/b", "instances", "a/instances", "%2F", "ü 🎬?#"])
async def test_ids_may_be_any_text(rig: Rig, name: str) -> None:
    await rig.allocate(name)
    await rig.upload(name, MEDIA)
    await rig.client.post(SEGMENTS, segment(name, "[1:0_2:0)"))
    await rig.client.post(instances(name), {"storage_id": SECOND})
    await rig.copies.sweep()
    assert await labels(rig, name) == ["local", "second"]
    await rig.client.delete(f"{instances(name)}?label=second")
    assert await labels(rig, name) == ["local"]


@rule("SGP-30", "SGP-19")
async def test_what_was_added_may_be_repeated_by_who_uses_the_object(rig: Rig) -> None:
    await rig.client.post(instances(), ELSEWHERE)
    again: dict[str, Any] = segment(A, "[1:0_2:0)", ts_offset="1:0", get_urls=[ELSEWHERE])
    await rig.client.post(SEGMENTS, again)
    other = segment(A, "[2:0_3:0)", ts_offset="2:0", get_urls=[ELSEWHERE | {"label": "other"}])
    await rig.client.post(SEGMENTS, other, expect=400)
