"""Sources come and go with their flows (SRC), and the root documents (SVC)."""

from tests.catalog.builders import audio, flow_id, source_id, video
from tests.catalog.conftest import House
from tests.conformance import rule


@rule("SRC-2", "SRC-3", "SRC-5", "SRC-6", "EVT-13", "FLW-46")
async def test_a_flow_brings_its_source(house: House) -> None:
    """SRC-2, SRC-3, SRC-5."""
    flow = video(label="camera 1", description="wide", tags={"place": ["hall", "stage"]})
    await house.client_of("ann").put(f"/flows/{flow_id(1)}", flow, expect=201)
    assert (await house.client.get(f"/sources/{source_id(1)}")).json() == {
        "id": source_id(1),
        "format": "urn:x-nmos:format:video",
        "label": "camera 1",
        "description": "wide",
        "created_by": "ann",
        "updated_by": "ann",
        "created": "2023-11-14T22:13:20Z",
        "updated": "2023-11-14T22:13:20Z",
        "tags": {"place": ["hall", "stage"]},
        "collected_by": [],
    }
    assert await house.told() == [("flows/created", flow_id(1)), ("sources/created", source_id(1))]


@rule("SRC-2", "EVT-18")
async def test_a_second_flow_joins_the_source_without_changing_it(house: House) -> None:
    await house.client.put(f"/flows/{flow_id(1)}", video(1, 1, label="first"), expect=201)
    before = (await house.client.get(f"/sources/{source_id(1)}")).body
    await house.forget_events()
    await house.client.put(f"/flows/{flow_id(2)}", video(2, 1, label="second"), expect=201)
    assert (await house.client.get(f"/sources/{source_id(1)}")).body == before
    assert await house.told() == [("flows/created", flow_id(2))]


@rule("SRC-20")
async def test_a_flow_of_another_format_cannot_join(house: House) -> None:
    """SRC-20."""
    await house.client.put(f"/flows/{flow_id(1)}", video(1, 1), expect=201)
    answer = await house.client.put(f"/flows/{flow_id(2)}", audio(2, 1), expect=400)
    assert answer.json()["field"] == "$.format"
    await house.client.get(f"/flows/{flow_id(2)}", expect=404)
    await house.client.put(f"/flows/{flow_id(1)}", audio(1, 1), expect=400)


@rule("SRC-4", "EVT-8", "EVT-13")
async def test_the_source_goes_with_its_last_flow(house: House) -> None:
    """SRC-4, EVT-13."""
    await house.client.put(f"/flows/{flow_id(1)}", video(1, 1), expect=201)
    await house.client.put(f"/flows/{flow_id(2)}", video(2, 1), expect=201)
    await house.forget_events()
    await house.client.delete(f"/flows/{flow_id(1)}")
    await house.client.get(f"/sources/{source_id(1)}")
    assert await house.told() == [("flows/deleted", flow_id(1))]
    await house.client.delete(f"/flows/{flow_id(2)}")
    await house.client.get(f"/sources/{source_id(1)}", expect=404)
    assert await house.told() == [("flows/deleted", flow_id(2)), ("sources/deleted", source_id(1))]


@rule("FLW-38", "FLW-39")
async def test_a_flow_that_moves_leaves_no_orphan(house: House) -> None:
    """FLW-38, FLW-39."""
    await house.client.put(f"/flows/{flow_id(1)}", video(1, 1), expect=201)
    await house.forget_events()
    await house.client.put(f"/flows/{flow_id(1)}", video(1, 2))
    await house.client.get(f"/sources/{source_id(1)}", expect=404)
    await house.client.get(f"/sources/{source_id(2)}")
    assert await house.told() == [
        ("flows/updated", flow_id(1)),
        ("sources/created", source_id(2)),
        ("sources/deleted", source_id(1)),
    ]


@rule("SRC-1", "SRC-12", "GEN-3", "GEN-4")
async def test_only_their_flows_write_sources(house: House) -> None:
    """SRC-1, SRC-12, GEN-3."""
    await house.client.put(f"/flows/{flow_id(1)}", video(1, 1), expect=201)
    for method in ("PUT", "POST", "DELETE"):
        answer = await house.client.send(method, f"/sources/{source_id(1)}", body=b"{}", expect=405)
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    await house.client.get("/sources/no-uuid", expect=404)
    await house.client.head(f"/sources/{source_id(1)}")
    await house.client.head(f"/sources/{source_id(2)}", expect=404)


@rule("SVC-1")
async def test_the_root_names_what_is_there(house: House) -> None:
    """SVC-1."""
    names = (await house.client.get("/")).json()
    assert names == ["service", "flows", "sources", "flow-delete-requests"]
    await house.client.head("/")


@rule("SVC-2", "SVC-3", "SVC-4", "SVC-8", "SVC-9")
async def test_the_service_tells_its_version_and_timeouts(house: House) -> None:
    """SVC-2 to SVC-5, SVC-8, SVC-9."""
    document = (await house.client.get("/service")).json()
    del document["event_stream_mechanisms"]
    assert document == {
        "type": "urn:x-tams:service:tams",
        "api_version": "8.2",
        "min_object_timeout": "600:0",
        "min_presigned_url_timeout": "300:0",
    }
    await house.client.head("/service")
