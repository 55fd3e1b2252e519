"""PUT of webhooks: what it replaces, what it keeps, and what it does to deliveries (WHK-9 to WHK-15, T-50, T-82)."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tams_common.errors import InvalidInput
from tams_common.store import Query, Reader, Tx
from tams_webhooks.log import append
from tams_webhooks.secrets import open_vault
from tams_webhooks.status import edited
from tams_webhooks.tables import (
    LANES,
    PARKED,
    REPLAY_PARKED,
    REPLAYS,
    WEBHOOKS,
    LaneRow,
    ParkedRow,
    ReplayParkedRow,
    ReplayRow,
    Status,
    WebhookRow,
)
from tams_webhooks.webhook import Asked
from tests.conformance import rule
from tests.spec import Spec
from tests.webhooks.rig import CONFIG, FLOW, OTHER_FLOW, Rig, flow_event, running

HOOKS = "/service/webhooks"
ERROR = b'{"type":"gone","summary":"the receiver answered 410","time":"2026-11-22T10:00:00Z"}'


class Hook:
    """A webhook that has been delivering for a while, and something that looks into its rows."""

    def __init__(self, rig: Rig, shown: dict[str, Any]) -> None:
        self._rig = rig
        self.shown = shown
        self.id: str = shown["id"]
        self.path = f"{HOOKS}/{self.id}"

    async def be(self, status: Status) -> None:
        """As if the service had found `status`: some events of the log are dealt with, two flows wait, and a replay."""

        def write(tx: Tx) -> None:
            row, lane = tx.get(WEBHOOKS, (self.id,)), tx.get(LANES, (self.id,))
            assert row is not None
            assert lane is not None
            for _ in range(5):
                append(tx, flow_event(), at=self._rig.clock())
            error = ERROR if status == "error" else b""
            tx.update(WEBHOOKS, [replace(row, status=status, error=error, version=row.version + 1)])
            owned = replace(lane, cursor=3, owner="replica", until=self._rig.clock() + 10, parked=2, failing_since=7)
            tx.update(LANES, [owned])
            tx.insert(PARKED, [ParkedRow(self.id, key, 1, 4, 10**19 // 4) for key in (FLOW, OTHER_FLOW)])
            replay = ReplayRow(webhook_id=self.id, created=1, id="x", kind="range", cursor=1, end=3, tries=2, parked=1)
            tx.insert(REPLAYS, [replay])
            tx.insert(REPLAY_PARKED, [ReplayParkedRow(self.id, FLOW, 1, 2, 10**19 // 4, replay_id="x")])

        await self._rig.store.run(write)

    async def put(self, *, expect: int = 201, **changes: object) -> dict[str, Any]:
        """PUTs what GET shows, with `changes`; those that are None are left out."""
        body = {name: value for name, value in (self.shown | changes).items() if value is not None}
        answer: dict[str, Any] = (await self._rig.client.put(self.path, body, expect=expect)).json()
        return answer

    async def row(self) -> WebhookRow:
        """What is kept of it."""
        row = await self._rig.store.read(lambda r: r.get(WEBHOOKS, (self.id,)))
        assert row is not None
        return row

    async def lane(self) -> tuple[LaneRow, list[ParkedRow], list[ReplayRow]]:
        """How its deliveries stand."""

        def read(reader: Reader) -> tuple[LaneRow, list[ParkedRow], list[ReplayRow]]:
            lane = reader.get(LANES, (self.id,))
            assert lane is not None
            return lane, reader.scan(PARKED, Query()).rows, reader.scan(REPLAYS, Query()).rows

        return await self._rig.store.read(read)


@pytest.fixture
async def hook(rig: Rig) -> Hook:
    """A webhook with an api key."""
    body = {
        "url": rig.receiver.at().url,
        "events": ["flows/created"],
        "api_key_name": "X-Key",
        "api_key_value": "first",
        "flow_ids": [FLOW],
        "tags": {"a": "x"},
    }
    return Hook(rig, (await rig.client.post(HOOKS, body)).json())


@rule("WHK-14")
@pytest.mark.parametrize(
    ("status", "asked", "after"),
    [
        ("created", "created", "created"),
        ("created", "disabled", "disabled"),
        ("started", "created", "started"),
        ("started", "disabled", "disabled"),
        ("disabled", "created", "created"),
        ("disabled", "disabled", "disabled"),
        ("error", "created", "created"),
    ],
)
def test_what_clients_make_of_a_status(status: Status, asked: Asked, after: Status) -> None:
    assert edited(status, asked) == after


@rule("WHK-15")
def test_an_error_cannot_be_disabled() -> None:
    with pytest.raises(InvalidInput, match="error"):
        edited("error", "disabled")


@rule("WHK-9", "WHK-30", "TAG-8")
async def test_a_put_replaces_all(rig: Rig, hook: Hook, spec: Spec) -> None:
    url = rig.receiver.at("/other").url
    shown = await hook.put(url=url, events=["sources/created"], flow_ids=None, source_ids=[], tags=None)
    assert shown == {
        "id": hook.id,
        "url": url,
        "api_key_name": "X-Key",
        "events": ["sources/created"],
        "source_ids": [],
        "tags": {},
        "status": "created",
    }
    spec.schema("webhook-get").validate(shown)
    assert (await rig.client.get(hook.path)).json() == shown
    assert (await rig.client.get(HOOKS)).json() == [shown]
    assert (await rig.client.get(f"{HOOKS}?tag_exists.a=true")).json() == []
    example = spec.example("webhook-put") | {"id": hook.id}
    assert (await rig.client.put(hook.path, example, expect=201)).json()["url"] == example["url"]


async def test_what_was_shown_can_be_put(rig: Rig, hook: Hook) -> None:
    assert await hook.put() == hook.shown
    await hook.be("error")
    shown = (await rig.client.get(hook.path)).json()
    assert await hook.put(error=shown["error"]) == hook.shown


@rule("WHK-9")
@pytest.mark.parametrize("member", ["id", "url", "events", "status"])
async def test_what_is_required(rig: Rig, hook: Hook, member: str) -> None:
    body = {name: value for name, value in hook.shown.items() if name != member}
    assert (await rig.client.put(hook.path, body, expect=400)).json()["field"] == f"$.{member}"
    await rig.client.put(hook.path, expect=400)


@rule("WHK-9")
async def test_the_id_is_that_of_the_path(rig: Rig, hook: Hook) -> None:
    other = (await rig.client.post(HOOKS, {"url": rig.receiver.at().url, "events": []})).json()
    answer = await rig.client.put(hook.path, other, expect=404)
    assert answer.json()["field"] == "$.id"
    assert (await rig.client.get(hook.path)).json() == hook.shown


@rule("WHK-10")
@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("status", "started"),
        ("status", "error"),
        ("url", "http://10.0.0.1/"),
        ("url", "http://127.0.0.1/#x"),
        ("api_key_name", "Host"),
        ("api_key_value", "a\nb"),
        ("events[0]", ["flows"]),
        ("id", "x"),
    ],
)
async def test_what_may_not_be_put(rig: Rig, hook: Hook, member: str, value: object) -> None:
    assert (await hook.put(expect=400, **{member.partition("[")[0]: value}))["field"] == f"$.{member}"
    assert (await rig.client.get(hook.path)).json() == hook.shown


async def test_a_url_that_was_forbidden_meanwhile_can_stay_but_not_be_chosen(tmp_path: Path) -> None:
    async with running(directory=tmp_path) as rig:
        shown = (await rig.client.post(HOOKS, {"url": "http://127.0.0.1:9/a", "events": []})).json()
    async with running(replace(CONFIG, allow=""), directory=tmp_path) as rig:
        hook = Hook(rig, shown)
        await hook.put(status="disabled")
        assert (await hook.put(url="http://127.0.0.1:9/b", expect=400))["field"] == "$.url"


@rule("WHK-11")
@pytest.mark.parametrize(
    ("changes", "secret"),
    [
        ({}, "first"),
        ({"api_key_name": "X-Other"}, "first"),
        ({"api_key_value": "second"}, "second"),
        ({"api_key_name": "X-Other", "api_key_value": "second"}, "second"),
        ({"api_key_value": ""}, ""),
        ({"api_key_name": None}, ""),
    ],
)
async def test_a_secret_stays_until_it_is_replaced_or_taken_away(
    rig: Rig, hook: Hook, changes: dict[str, Any], secret: str
) -> None:
    shown = await hook.put(**changes)
    assert "api_key_value" not in shown
    assert shown.get("api_key_name") == changes.get("api_key_name", "X-Key")
    assert open_vault(rig.config).decrypt((await hook.row()).secret) == secret


@pytest.mark.parametrize("status", ["created", "started"])
async def test_an_ordinary_edit_leaves_deliveries_alone(hook: Hook, status: Status) -> None:
    await hook.be(status)
    before = await hook.lane()
    assert (await hook.put(events=[], api_key_value="first"))["status"] == status
    assert await hook.lane() == before


@pytest.mark.parametrize("status", ["created", "started"])
async def test_disabling_takes_the_lane_from_its_replica(rig: Rig, hook: Hook, status: Status) -> None:
    await hook.be(status)
    before = await hook.lane()
    assert (await hook.put(status="disabled"))["status"] == "disabled"
    lane, parked, replays = await hook.lane()
    assert (lane.owner, lane.until, lane.version) == ("", 0, before[0].version + 1)
    assert (parked, replays) == before[1:]
    # Once more is an edit like any other.
    await hook.put(status="disabled", tags={})
    assert await hook.lane() == (lane, parked, replays)


@rule("WHK-14")
async def test_leaving_disabled_starts_at_the_end_of_the_log(hook: Hook) -> None:
    await hook.be("disabled")
    assert (await hook.put())["status"] == "created"
    lane, parked, replays = await hook.lane()
    assert (lane.cursor, lane.owner, lane.parked, lane.failing_since) == (5, "", 0, 0)
    assert (parked, replays) == ([], [])


@rule("WHK-14", "WHK-15", "WHK-16", "ERR-2", "ERR-3")
async def test_leaving_error_goes_on_where_it_was_and_at_once(rig: Rig, hook: Hook, spec: Spec) -> None:
    await hook.be("error")
    shown = (await rig.client.get(hook.path)).json()
    assert shown["error"] == {
        "type": "gone",
        "summary": "the receiver answered 410",
        "time": "2026-11-22T10:00:00Z",
    }
    spec.schema("webhook-get").validate(shown)
    assert (await hook.put(status="disabled", expect=400))["field"] == "$.status"
    assert (await rig.client.get(hook.path)).json() == shown
    after = await hook.put()
    assert after["status"] == "created"
    assert "error" not in after
    lane, parked, [replay] = await hook.lane()
    assert (lane.cursor, lane.owner, lane.parked, lane.failing_since) == (3, "", 2, 0)
    assert [(row.tries, row.due) for row in parked] == [(0, rig.clock())] * 2
    assert (replay.tries, replay.due) == (0, rig.clock())
    [waiting] = (await rig.store.read(lambda reader: reader.scan(REPLAY_PARKED, Query()))).rows
    assert (waiting.tries, waiting.due) == (0, rig.clock())


@pytest.mark.parametrize("changes", [{"url": "http://127.0.0.1:9/corrected"}, {"api_key_value": "corrected"}])
async def test_a_corrected_receiver_is_tried_at_once(rig: Rig, hook: Hook, changes: dict[str, Any]) -> None:
    await hook.be("started")
    assert (await hook.put(**changes))["status"] == "started"
    lane, parked, _ = await hook.lane()
    assert (lane.cursor, lane.failing_since) == (3, 0)
    assert [(row.tries, row.due) for row in parked] == [(0, rig.clock())] * 2
