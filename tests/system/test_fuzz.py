"""Whatever a client sends is answered: done, or refused by a problem that says why, and then nothing is written."""

import asyncio
import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tams_common.runtime import registry
from tams_common.runtime.host import Host
from tests.common.http_client import Answer, Client
from tests.system import words
from tests.system.assemblies import VANISHING
from tests.system.processes import TOKEN

pytestmark = pytest.mark.property

INT64 = 2**63
ODD_TEXT = (
    *(
        "",
        "\0",
        "\ud800",
        "../..",
        "a/b",
        "%2F",
        "a,b",
        "_",
        "()",
        "[0:0_1:0)",
        "0:0",
        "-0:1",
        "urn:x-nmos:format:audio",
    ),
    *("[9223372036:0_9223372036:854775807]", "[-9223372036:854775808]", "9223372036:854775807", "x" * 2000, "🎬" * 600),
)
texts = st.sampled_from(ODD_TEXT) | st.text(max_size=20)
numbers = st.sampled_from((0, -1, 1.0, 1e300, INT64 - 1, INT64, -INT64 - 1, 10**400, float("nan"), float("-inf")))
values = st.recursive(
    st.none() | st.booleans() | numbers | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
SEGMENT: dict[str, object] = {
    "object_id": "known",
    "timerange": "[0:0_1:0)",
    "ts_offset": "0:0",
    "last_duration": "0:40000000",
    "object_timerange": "[0:0_1:0)",
    "sample_offset": 0,
    "sample_count": 1,
    "key_frame_count": 1,
    "get_urls": [{"url": "https://media.test/1", "label": "elsewhere"}],
}
STORAGE: dict[str, object] = {
    "limit": 1,
    "content_type": "video/mp2t",
    "presigned": True,
}
FLOW: dict[str, object] = words.video_flow("", "") | {
    "label": "label",
    "tags": {"one": "a", "many": ["b"]},
    "metadata_version": "1",
    "generation": 0,
    "read_only": False,
    "max_bit_rate": 1,
    "avg_bit_rate": 1,
    "flow_collection": [],
    "segment_duration": {"numerator": 2},
    "container_mapping": {"track_index": 0, "mp2ts_container": {"pid": 1}},
}
REQUIRED = frozenset(words.video_flow("", "")) | {"object_id", "timerange", "get_urls"}
OTHERS = ("init_object_id", "object_ids", "storage_id", "content-type", "profile_id", "id", "new")
QUERIES = (
    *("timerange", "object_id", "limit", "page", "reverse_order", "verbose_storage", "accept_get_urls", "presigned"),
    *("accept_storage_ids", "include_object_timerange", "include_timerange", "storage_backend_tag.x", "tag.x"),
    *("storage_backend_tag_exists.x", "tag_exists.x", "label", "format", "codec", "source_id", "frame_width"),
)
LISTS = ("/flows", "/sources", "/service/storage-backends", "/objects/known", "{flow}", "{flow}/segments")
MEMBERS = ("label", "description", "read_only", "max_bit_rate", "avg_bit_rate", "flow_collection", "tags/x")


class House:
    """A running store, and calls that wait for its answers."""

    def __init__(self, runner: asyncio.Runner, host: Host) -> None:
        self._runner = runner
        self._client = Client(host.app, token=TOKEN)
        self.flow = self.make_flow()
        assert self.call("POST", f"{self.flow}/segments", body=json.dumps(SEGMENT).encode()).status == 201

    def call(self, method: str, path: str, *, body: bytes = b"") -> Answer:
        """One request, which may fail only by a problem."""
        answer = self._runner.run(self._client.send(method, path, body=body))
        assert answer.status < 500, answer.body
        if answer.status >= 400 and method != "HEAD":
            problem = answer.json()
            assert problem["status"] == answer.status
            assert problem["detail"]
        return answer

    def make_flow(self) -> str:
        """The path of a new flow."""
        flow = words.new_id()
        body = json.dumps(words.video_flow(flow, words.new_id())).encode()
        assert self.call("PUT", f"/flows/{flow}", body=body).status == 201
        return f"/flows/{flow}"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with asyncio.Runner() as runner:
        host = Host(registry.load_all(), VANISHING, migrate=True)
        runner.run(host.start())
        yield House(runner, host)
        runner.run(host.stop())


def paths_of(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401
    """The places of a JSON value, from the outside in."""
    yield path
    if isinstance(value, dict | list):
        for step in value if isinstance(value, dict) else range(len(value)):
            yield from paths_of(value[step], (*path, step))


@st.composite
def damaged(draw: st.DrawFn, sound: dict[str, object]) -> bytes:
    """A body without some of its members, in which up to two values are something else; its end may be missing."""
    kept = (name for name in sound if name in REQUIRED or draw(st.booleans()))
    body: Any = {name: deepcopy(sound[name]) for name in kept}
    for _ in range(draw(st.integers(0, 2))):
        *outer, last = draw(
            st.sampled_from([*(path for path in paths_of(body) if path), *((name,) for name in OTHERS)])
        )
        parent = body
        for step in outer:
            parent = parent[step]
        parent[last] = draw(values)
    data = json.dumps([body] if draw(st.booleans()) else body).encode()
    return data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 9)) == 0 else data


@given(body=damaged(FLOW))
def test_flows(house: House, body: bytes) -> None:
    flow = words.new_id()
    for name in ("id", "source_id"):
        body = body.replace(f'"{name}": ""'.encode(), f'"{name}": "{flow}"'.encode())
    answer = house.call("PUT", f"/flows/{flow}", body=body.removeprefix(b"[").removesuffix(b"]"))
    assert house.call("GET", f"/flows/{flow}").status == (200 if answer.status == 201 else 404)


@given(body=damaged(SEGMENT))
def test_segments(house: House, body: bytes) -> None:
    flow = house.make_flow()
    answer = house.call("POST", f"{flow}/segments", body=body)
    listed = house.call("GET", f"{flow}/segments?include_object_timerange=true").json()
    assert len(listed) == (answer.status == 201 and body != b"[]")
    assert house.call("DELETE", f"{flow}/segments").status == 204
    assert house.call("GET", f"{flow}/segments").json() == []


@given(body=damaged(STORAGE))
def test_storage(house: House, body: bytes) -> None:
    answer = house.call("POST", f"{house.make_flow()}/storage", body=body)
    assert answer.status in (201, 400)


@given(member=st.sampled_from(MEMBERS), value=values)
def test_members(house: House, member: str, value: object) -> None:
    path = f"{house.make_flow()}/{member}"
    before = house.call("GET", path)
    answer = house.call("PUT", path, body=json.dumps(value).encode())
    after = house.call("GET", path)
    if answer.status == 204:
        assert after.json() == value
    else:
        assert after.status == before.status
        assert after.status == 404 or after.body == before.body  # a problem tells the time


@given(
    path=st.sampled_from(LISTS),
    query=st.lists(
        st.tuples(st.sampled_from(QUERIES), texts | st.integers().map(str) | st.sampled_from(("true", "1"))), max_size=3
    ),
    raw=st.booleans(),
)
def test_queries(house: House, path: str, query: list[tuple[str, str]], *, raw: bool) -> None:
    written = "&".join(f"{name}={value if raw else quote(value, errors='surrogatepass')}" for name, value in query)
    house.call("GET", f"{path.format(flow=house.flow)}?{written}")


@given(parts=st.lists(texts, max_size=4), method=st.sampled_from(("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS")))
def test_paths(house: House, parts: list[str], method: str) -> None:
    for beginning in ("", "/flows", "/objects", "/sources", "/media"):
        house.call(
            method, "/".join((beginning, *(quote(part, safe="", errors="surrogatepass") for part in parts))) or "/"
        )
