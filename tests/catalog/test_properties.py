"""The members of flows and sources that have paths of their own (SUB, SRC-13 to SRC-19, COL-10 to COL-12)."""

import pytest

from tests.catalog.builders import flow_id, multi, source_id, video
from tests.catalog.conftest import House
from tests.conformance import rule

FLOW = f"/flows/{flow_id(1)}"
SOURCE = f"/sources/{source_id(1)}"
PROTECTED = "/flows/" + flow_id(2)
MISSING = (f"/flows/{flow_id(9)}", f"/sources/{source_id(9)}", "/flows/no-uuid", "/sources/no-uuid")

TEXTS = [f"{FLOW}/label", f"{FLOW}/description", f"{SOURCE}/label", f"{SOURCE}/description"]
NUMBERS = [f"{FLOW}/max_bit_rate", f"{FLOW}/avg_bit_rate"]
NO_TEXT: tuple[object, ...] = (5, None, ["a"], {})
NO_NUMBER: tuple[object, ...] = (-1, 1.5, "5", None, True)
NO_TAG: tuple[object, ...] = (5, None, {}, ["a", 1])
TAGS = [f"{FLOW}/tags", f"{SOURCE}/tags"]


@pytest.fixture
async def stocked(house: House) -> House:
    """Flow 1 of source 1, and the read-only flow 2 of source 2."""
    await house.client_of("ann").put(FLOW, video(1, 1), expect=201)
    await house.client_of("ann").put(PROTECTED, video(2, 2, read_only=True, tags={"kept": "yes"}), expect=201)
    await house.forget_events()
    house.clock.advance(seconds=60)
    return house


@rule("GEN-12", "SUB-5", "SUB-8", "SUB-11", "SRC-17", "SRC-18")
@pytest.mark.parametrize(
    ("path", "value"), [*((path, "some words") for path in TEXTS), *((path, 0) for path in NUMBERS)]
)
async def test_a_value_is_set_shown_and_taken_away(stocked: House, path: str, value: object) -> None:
    """GEN-12, T-21, SUB-5, SUB-8, SUB-11, SRC-17, SRC-18."""
    owner, _, name = path.rpartition("/")
    assert (await stocked.client.get(path)).json() is None
    await stocked.client.delete(path)
    assert await stocked.told() == []
    await stocked.client.put(path, value)
    assert (await stocked.client.get(path)).json() == value
    await stocked.client.head(path)
    assert (await stocked.client.get(owner)).json()[name] == value
    await stocked.client.delete(path)
    assert (await stocked.client.get(path)).json() is None
    assert name not in (await stocked.client.get(owner)).json()


@rule("SUB-3", "SUB-5", "SUB-8", "SRC-15", "SRC-18", "COL-2", "COL-4", "COL-5", "COL-11", "TAG-1", "GEN-13")
@pytest.mark.parametrize(
    ("path", "value"),
    [
        *((path, value) for path in TEXTS for value in NO_TEXT),
        *((path, value) for path in NUMBERS for value in NO_NUMBER),
        *((f"{path}/a", value) for path in TAGS for value in NO_TAG),
        (f"{FLOW}/flow_collection", {}),
        (f"{FLOW}/flow_collection", [{"role": "x"}]),
        (f"{FLOW}/flow_collection", [{"id": flow_id(1)}]),
        (f"{FLOW}/flow_collection", [{"id": flow_id(9)}]),
    ],
)
async def test_a_bad_value_is_refused(stocked: House, path: str, value: object) -> None:
    await stocked.client.put(path, value, expect=400)
    await stocked.client.put(path, expect=400)
    assert await stocked.told() == []


@pytest.mark.parametrize("tags", TAGS)
class TestTags:
    """SUB-1 to SUB-4, SRC-13 to SRC-16, GEN-6."""

    @rule("SUB-1", "SUB-2", "SUB-3", "SUB-4", "SRC-13", "SRC-14", "SRC-15", "SRC-16")
    async def test_they_come_and_go_one_by_one(self, stocked: House, tags: str) -> None:
        assert (await stocked.client.get(tags)).json() == {}
        await stocked.client.put(f"{tags}/one", "a")
        await stocked.client.put(f"{tags}/two", ["b", "c"])
        await stocked.client.put(f"{tags}/one", "d")
        assert (await stocked.client.get(tags)).json() == {"one": "d", "two": ["b", "c"]}
        assert (await stocked.client.get(f"{tags}/two")).json() == ["b", "c"]
        await stocked.client.delete(f"{tags}/one")
        assert (await stocked.client.get(tags)).json() == {"two": ["b", "c"]}

    @rule("SUB-2", "SUB-4", "SRC-14", "SRC-16")
    async def test_one_that_is_not_there_is_a_404(self, stocked: House, tags: str) -> None:
        """T-58."""
        for method in ("GET", "HEAD", "DELETE"):
            await stocked.client.send(method, f"{tags}/none", expect=404)

    @rule("GEN-6", "TAG-9")
    @pytest.mark.parametrize("name", ["a%2Fb", "%C3%A9t%C3%A9", "a%20b", "a.b", "100%25"])
    async def test_names_may_be_encoded(self, stocked: House, tags: str, name: str) -> None:
        await stocked.client.put(f"{tags}/{name}", "x")
        assert (await stocked.client.get(f"{tags}/{name}")).json() == "x"
        assert len((await stocked.client.get(tags)).json()) == 1

    @rule("GEN-3")
    async def test_they_are_not_written_as_a_whole(self, stocked: House, tags: str) -> None:
        for method in ("PUT", "DELETE"):
            await stocked.client.send(method, tags, body=b"{}", expect=405)


@rule("SUB-10", "EVT-14", "FLW-20", "FLW-21", "RET-5")
async def test_a_change_of_a_flow_is_told_dated_and_signed(stocked: House) -> None:
    """SUB-10, EVT-14."""
    before = (await stocked.client.get(FLOW)).json()
    await stocked.client_of("bob").put(f"{FLOW}/label", "new")
    after = (await stocked.client.get(FLOW)).json()
    assert after["metadata_version"] != before["metadata_version"]
    assert after["metadata_updated"] > before["metadata_updated"]
    assert (after["created_by"], after["updated_by"]) == ("ann", "bob")
    (told,) = await stocked.staged()
    assert (told.type, told.event) == ("flows/updated", {"flow": after})
    await stocked.forget_events()
    await stocked.client.put(f"{FLOW}/label", "new")
    assert await stocked.told() == []


@rule("SRC-6", "SRC-19", "EVT-14", "RET-5")
async def test_a_change_of_a_source_is_told_dated_and_signed(stocked: House) -> None:
    """SRC-19, EVT-14."""
    before = (await stocked.client.get(SOURCE)).json()
    await stocked.client_of("bob").put(f"{SOURCE}/label", "new")
    after = (await stocked.client.get(SOURCE)).json()
    assert after["updated"] > before["updated"]
    assert after["created"] == before["created"]
    assert (after["created_by"], after["updated_by"]) == ("ann", "bob")
    (told,) = await stocked.staged()
    assert (told.type, told.event) == ("sources/updated", {"source": after})
    assert "label" not in (await stocked.client.get(FLOW)).json()
    assert (await stocked.client.get("/sources?label=new")).json() == [after]


@rule("SUB-9", "FLW-40", "ERR-6")
@pytest.mark.parametrize(
    "path", ["label", "description", "max_bit_rate", "avg_bit_rate", "flow_collection", "tags/kept", "tags/new"]
)
async def test_a_read_only_flow_is_left_alone(stocked: House, path: str) -> None:
    """SUB-9, T-49."""
    value = {"max_bit_rate": 5, "avg_bit_rate": 5, "flow_collection": []}.get(path, "text")
    before = (await stocked.client.get(PROTECTED)).body
    await stocked.client.put(f"{PROTECTED}/{path}", value, expect=403)
    await stocked.client.delete(f"{PROTECTED}/{path}", expect=403)
    assert (await stocked.client.get(PROTECTED)).body == before
    await stocked.client.put(f"/sources/{source_id(2)}/label", "sources are not protected")


@rule(
    "SUB-1", "SUB-2", "SUB-5", "SUB-8", "SRC-13", "SRC-14", "SRC-15", "SRC-17", "SRC-18", "COL-10", "COL-11", "COL-12"
)
@pytest.mark.parametrize("owner", MISSING)
async def test_what_does_not_exist_has_no_members(house: House, owner: str) -> None:
    for path in ("label", "description", "tags/a"):
        await house.client.get(f"{owner}/{path}", expect=404)
        await house.client.put(f"{owner}/{path}", "x", expect=404)
        await house.client.delete(f"{owner}/{path}", expect=404)
    await house.client.get(f"{owner}/tags", expect=404)


@rule("SUB-6", "GEN-3")
async def test_read_only_cannot_be_deleted(stocked: House) -> None:
    """SUB-6."""
    answer = await stocked.client.delete(f"{FLOW}/read_only", expect=405)
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, PUT"


@rule("COL-10", "COL-11", "COL-12", "SUB-11")
async def test_a_collection_is_set_shown_and_taken_away(stocked: House) -> None:
    """COL-10 to COL-12."""
    await stocked.client.put(f"/flows/{flow_id(5)}", multi(5, 5), expect=201)
    path = f"/flows/{flow_id(5)}/flow_collection"
    items = [{"id": flow_id(2), "role": "b"}, {"id": flow_id(1), "container_mapping": {"track_index": 1}}]
    await stocked.client.put(path, items)
    assert (await stocked.client.get(path)).json() == items
    assert (await stocked.client.get(FLOW)).json()["collected_by"] == [flow_id(5)]
    await stocked.client.delete(path)
    assert (await stocked.client.get(path)).json() == []
    assert (await stocked.client.get(FLOW)).json()["collected_by"] == []
    assert (await stocked.client.get(SOURCE)).json()["collected_by"] == []
