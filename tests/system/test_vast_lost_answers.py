"""The answers of VAST DB's commits get lost: each use case ends as if they had arrived, and happens once.

Every use case runs twice in the same store, on things of its own: undisturbed, and while every commit of every service
loses its answer. What is answered, told and shown must be the same.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
import pytest_asyncio

from tams_common.bus import Consumer, Offsets, Partition
from tams_common.bus.sqlite import SqliteBus
from tests import vast
from tests.system import words
from tests.system.api import Answer, Api, escaped
from tests.system.assemblies import in_this_process

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANY = tuple(range(200, 600))
FAULTS = "/__control__/faults"
LOST = {"kind": "lose-answer", "command": "PUT transaction", "times": 1_000_000}
TOPICS = ("tams.flows", "tams.segments", "tams.sources")


class Subject(msgspec.Struct, frozen=True):
    """What one run is about."""

    api: Api
    flow: str
    source: str
    other: str
    objects: list[str]

    @property
    def path(self) -> str:
        return f"/flows/{self.flow}"

    def segments(self, first: int, last: int) -> list[dict[str, object]]:
        """Segments of a second each, of the first object."""
        return [words.segment(self.objects[0], n, end=n + 1, ts_offset=f"{n}:0") for n in range(first, last)]

    async def call(self, method: str, path: str, *, json: object = None) -> Answer:
        """One request, whatever comes of it."""
        return await self.api.call(method, path, json=json, expect=ANY)


Step: TypeAlias = Callable[[Subject], Awaitable[Sequence[Answer]]]


class UseCase(msgspec.Struct, frozen=True):
    """`act` is what is watched; `before` is what must be there. `ordered` unless it does several things at once."""

    act: Step
    before: Sequence[Step] = ()
    ordered: bool = True


class Outcome(msgspec.Struct, frozen=True):
    """What came of a run: its answers, the events of each key on each topic, then what the store shows."""

    answers: list[object]
    events: dict[str, list[object]]
    shown: list[object]


def request(method: str, path: str, *, json: object = None) -> Step:
    """One request below the flow's path; `json` may be made of the subject."""

    async def step(s: Subject) -> Sequence[Answer]:
        return [await s.call(method, s.path + path, json=json(s) if callable(json) else json)]

    return step


async def at_once(s: Subject) -> Sequence[Answer]:
    """Twelve requests that share commits."""
    path = f"{s.path}/segments"
    return await asyncio.gather(*(s.call("POST", path, json=s.segments(n, n + 1)) for n in range(12)))


async def put_other(s: Subject) -> Sequence[Answer]:
    return [await s.call("PUT", f"/flows/{s.other}", json=words.video_flow(s.other, s.source))]


async def tag_source(s: Subject) -> Sequence[Answer]:
    return [await s.call("PUT", f"/sources/{s.source}/tags/colour", json="red")]


async def register_webhook(s: Subject) -> Sequence[Answer]:
    """And looks how many there are with its tag."""
    tags = {"subject": s.flow}
    hook = {"url": "http://127.0.0.1:9/", "events": ["flows/deleted"], "flow_ids": [s.flow], "tags": tags}
    return [
        await s.call("POST", "/service/webhooks", json=hook),
        await s.call("GET", f"/service/webhooks?tag.subject={s.flow}"),
    ]


PUT = request("PUT", "", json=lambda s: words.video_flow(s.flow, s.source))
ALLOCATE = request("POST", "/storage", json=lambda s: {"object_ids": s.objects})
ADD = request("POST", "/segments", json=lambda s: s.segments(0, 10))
TAG = request("PUT", "/tags/colour", json="red")
COLLECT = request("PUT", "/flow_collection", json=lambda s: [{"id": s.other, "role": "video"}])
FILLED = (PUT, ALLOCATE, ADD)

USE_CASES = {
    "a flow is created": UseCase(PUT),
    "a flow is replaced": UseCase(
        request("PUT", "", json=lambda s: words.video_flow(s.flow, s.source, label="new")), [PUT]
    ),
    "a flow moves to another source": UseCase(
        request("PUT", "", json=lambda s: words.video_flow(s.flow, s.other)), [PUT]
    ),
    "a tag is set": UseCase(TAG, [PUT]),
    "a tag is removed": UseCase(request("DELETE", "/tags/colour"), [PUT, TAG]),
    "a label is set": UseCase(request("PUT", "/label", json="new"), [PUT]),
    "a flow is closed": UseCase(request("PUT", "/read_only", json=True), [PUT]),
    "a flow is collected": UseCase(COLLECT, [PUT, put_other]),
    "a collection is removed": UseCase(request("DELETE", "/flow_collection"), [PUT, put_other, COLLECT]),
    "a source is tagged": UseCase(tag_source, [PUT]),
    "an empty flow is deleted": UseCase(request("DELETE", ""), [PUT]),
    "a flow with segments is deleted": UseCase(request("DELETE", ""), FILLED),
    "a flow of a shared source is deleted": UseCase(request("DELETE", ""), [PUT, put_other]),
    "a webhook is registered": UseCase(register_webhook),
    "named objects are allocated": UseCase(ALLOCATE, [PUT]),
    "objects are allocated": UseCase(request("POST", "/storage", json={"limit": 5}), [PUT]),
    "a segment is added": UseCase(request("POST", "/segments", json=lambda s: s.segments(0, 1)[0]), [PUT, ALLOCATE]),
    "many segments are added": UseCase(
        request("POST", "/segments", json=lambda s: s.segments(0, 2500)), [PUT, ALLOCATE]
    ),
    "segments are added at once": UseCase(at_once, [PUT, ALLOCATE], ordered=False),
    "some segments are refused": UseCase(request("POST", "/segments", json=lambda s: s.segments(8, 12)), FILLED),
    "segments are deleted": UseCase(request("DELETE", f"/segments?timerange={escaped('[2:0_5:0)')}"), FILLED),
    "all segments are deleted": UseCase(request("DELETE", "/segments"), FILLED),
}


class Told:
    """Reads the bus from its start."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    async def about(self, subject: Subject) -> dict[str, list[object]]:
        """The events about `subject`, once those of a later change have come on every topic; none twice."""
        api = subject.api
        flow = await words.make_flow(api)
        await words.fill(api, flow, count=1)
        source = (await api.get(f"/flows/{flow}")).json()["source_id"]
        names = {subject.flow: "flow", subject.source: "source", subject.other: "other"}
        awaited = set(TOPICS)
        told: dict[str, list[object]] = defaultdict(list)
        seen: list[str] = []
        while awaited:
            for record in await self._consumer.poll(limit=1000, timeout=1):
                if record.key in names:
                    seen.append(record.id)
                    place = f"{names[record.key]} on {record.partition.topic}"
                    told[place].append(shape_of(msgspec.json.decode(record.value)))
                if record.key in {flow, source}:
                    awaited.discard(record.partition.topic)
        assert len(set(seen)) == len(seen)
        return told


def shape_of(value: Any) -> object:  # noqa: ANN401 -- any JSON
    """`value` without what differs from run to run: ids, times, URLs."""
    if isinstance(value, dict):
        return {key: item if key in {"event_type", "timerange"} else shape_of(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape_of(item) for item in value]
    return type(value).__name__


def answered(answer: Answer) -> object:
    """Status and shape of an answer."""
    return answer.status, shape_of(answer.json()) if answer.body else None


async def outcome_of(use_case: UseCase, api: Api, *, told: Told, emulator: Api, lossy: bool) -> Outcome:
    """Runs a use case on things of its own; if it is `lossy`, every commit meanwhile loses its answer."""
    objects = [words.new_id() for _ in range(3)]
    subject = Subject(api, words.new_id(), words.new_id(), words.new_id(), objects)
    for step in use_case.before:
        assert {answer.status for answer in await step(subject)} <= {201, 204}
    if lossy:
        await emulator.post(FAULTS, LOST, expect=200)
    answers = await use_case.act(subject)
    if lossy:
        (rule,) = (await emulator.get(FAULTS)).json()
        assert rule["hits"]
        await emulator.delete(FAULTS, expect=200)
    events = await told.about(subject)
    if not use_case.ordered:
        events = {place: sorted(found, key=str) for place, found in events.items()}
    paths = [subject.path, f"{subject.path}/segments?limit=300&accept_get_urls=", f"/flows/{subject.other}"]
    paths += [f"/sources/{id_}" for id_ in (subject.source, subject.other)]
    paths += [f"/objects/{id_}" for id_ in objects]
    shown = [await subject.call("GET", path) for path in paths]
    return Outcome(list(map(answered, answers)), events, list(map(answered, shown)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def emulator() -> AsyncIterator[Api]:
    """The emulator's control."""
    address = vast.emulator().url.removeprefix("vast://").partition("/")[0]
    async with Api(f"http://{address}", "") as control:
        yield control


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(bus: Path) -> AsyncIterator[Api]:
    """A store on the emulator."""
    environ = vast.emulator().environ(vast.new_schema())
    async with in_this_process(environ | {"TAMS_BUS_URL": f"sqlite:{bus}"}) as api:
        yield api


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bus")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(api: Api, bus: Path) -> AsyncIterator[Told]:
    async def from_the_start(partitions: Sequence[Partition]) -> Offsets:
        return {}

    reading = SqliteBus(bus)
    await reading.open()
    consumer = await reading.consumer("test", TOPICS, assigned=from_the_start)
    yield Told(consumer)
    await consumer.close()
    await reading.close()


@pytest.mark.parametrize("use_case", USE_CASES.values(), ids=USE_CASES)
async def test_it_ends_as_if_the_answer_had_come(api: Api, emulator: Api, told: Told, use_case: UseCase) -> None:
    undisturbed = await outcome_of(use_case, api, told=told, emulator=emulator, lossy=False)
    lossy = await outcome_of(use_case, api, told=told, emulator=emulator, lossy=True)
    assert lossy == undisturbed
