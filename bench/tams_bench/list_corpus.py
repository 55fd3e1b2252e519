"""Catalogs for the bench of lists: many flows with tags, made by the catalog's own functions."""

import random
import uuid
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec import UNSET

from tams_catalog.documents import FlowState, SourceState, flow_row, format_of, render_flow, render_source, source_row
from tams_catalog.entries import flow_entry, source_entry
from tams_catalog.flow_body import parse_flow
from tams_catalog.tables import FLOW_INDEX, FLOWS, SOURCE_INDEX, SOURCES, TABLES
from tams_common.clock import date_time
from tams_common.http.codec import encode_json
from tams_common.ids import Incarnation
from tams_common.model.flow import Flow
from tams_common.model.source import Source
from tams_common.model.values import AUDIO, VIDEO
from tams_common.store import Tx
from tams_common.store.sqlite import SqliteStore

FIRST: Final = 1_700_000_000_000_000_000
STEP: Final = 1_000_000_000
"""When the first flow was made, and after how long each next one (ns)."""
_AT_ONCE: Final = 500
_STATUSES: Final = ("awaiting_content", "ingesting", "closed_complete", None)
_WIDTHS: Final = (1280, 1920, 3840)


async def fill(directory: Path, count: int) -> None:
    """Writes the tables of a catalog with `count` flows to `directory`; the same count makes the same flows."""
    store = SqliteStore(directory, "catalog", tables=TABLES)
    await store.open()
    try:
        await store.migrate()
        randomness = random.Random(8)
        for start in range(0, count, _AT_ONCE):
            numbers = range(start, min(start + _AT_ONCE, count))
            flows = [_state(_flow(number, count, randomness=randomness), number) for number in numbers]
            await store.run(partial(_insert, flows=flows))
    finally:
        await store.close()


def _insert(tx: Tx, *, flows: list[FlowState]) -> None:
    sources = [_source_of(flow) for flow in flows]
    tx.insert(FLOWS, [flow_row(flow, render_flow(flow)) for flow in flows])
    tx.insert(FLOW_INDEX, [flow_entry(flow, None) for flow in flows])
    tx.insert(SOURCES, [source_row(source, render_source(source)) for source in sources])
    tx.insert(SOURCE_INDEX, [source_entry(source) for source in sources])


def _state(flow: Flow, number: int) -> FlowState:
    made = FIRST + number * STEP
    return FlowState(
        flow=flow, created=made, metadata_updated=made, version=1, incarnation=Incarnation(f"incarnation {number}")
    )


def _source_of(flow: FlowState) -> SourceState:
    common, moment = flow.flow.common, date_time(flow.created)
    source = Source(
        id=flow.source_id,
        format=format_of(flow.flow.technical),
        label=common.label,
        description=UNSET,
        created=moment,
        updated=moment,
        tags=common.tags,
    )
    return SourceState(source=source, created=flow.created, updated=flow.created, version=1)


def _flow(number: int, count: int, *, randomness: random.Random) -> Flow:
    body: dict[str, Any] = {
        "id": _id(randomness),
        "source_id": _id(randomness),
        "label": f"camera {number % 5000}",
        "description": "a flow of the bench " * 10,
        "tags": _tags(count, randomness=randomness),
        "container": "video/mp2t",
        "metadata_version": "1",
    }
    status = randomness.choice(_STATUSES)
    if status is not None:
        body["status"] = status
    if randomness.random() < 0.5:
        essence: dict[str, object] = {"sample_rate": 48000, "channels": 2}
        body |= {"format": AUDIO, "codec": "audio/aac", "essence_parameters": essence}
    else:
        width = randomness.choice(_WIDTHS)
        essence = {"frame_width": width, "frame_height": 1080, "frame_rate": {"numerator": 25}}
        body |= {"format": VIDEO, "codec": "video/h264", "essence_parameters": essence}
    flow = parse_flow(encode_json(body))
    assert isinstance(flow, Flow)
    return flow


def _tags(count: int, *, randomness: random.Random) -> dict[str, object]:
    """Tags of few values and of many, each on most flows, and one that is a list."""
    tags: dict[str, object] = {
        name: f"{name} {randomness.randrange(values)}"
        for name, values in (("colour", 4), ("genre", 20), ("site", 100), ("asset", count // 3))
        if randomness.random() < 0.8
    }
    if randomness.random() < 0.5:
        tags["people"] = [f"person {randomness.randrange(50)}" for _ in range(2)]
    return tags


def _id(randomness: random.Random) -> str:
    return str(uuid.UUID(int=randomness.getrandbits(128), version=4))
