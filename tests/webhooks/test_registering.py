"""POST, GET and DELETE of webhooks (WHK-3 to WHK-8, WHK-12, WHK-30 to WHK-33)."""

from typing import Any

import msgspec
import pytest

from tams_common.auth import ADMIN, READ, WRITE, Principal
from tams_common.store import Query, Reader, Scalar, Tx
from tams_common.store.table import AnyTable
from tams_webhooks.log import append
from tams_webhooks.tables import LANES, PARKED, REPLAY_PARKED, REPLAYS, WEBHOOKS, ParkedRow, ReplayParkedRow, ReplayRow
from tests.common.http_client import BASE_URL
from tests.conformance import rule
from tests.spec import Spec
from tests.webhooks.rig import ALL_TYPES, FLOW, Rig, flow_event

HOOKS = "/service/webhooks"
UNKNOWN = "90000000-0000-4000-8000-000000000001"
MINIMAL: dict[str, Any] = {"url": "https://127.0.0.1:9/in?a=%2C", "events": ["flows/created"]}
STRANGER = Principal("stranger", frozenset({READ, WRITE}))
OPERATOR = Principal("operator", frozenset({ADMIN}))
FULL: dict[str, Any] = {
    "url": "http://127.0.0.1:9999/hook",
    "api_key_name": "X-Api-Key",
    "events": list(ALL_TYPES),
    "flow_ids": [FLOW],
    "source_ids": [],
    "flow_collected_by_ids": [],
    "source_collected_by_ids": [UNKNOWN],
    "accept_get_urls": [],
    "accept_storage_ids": [UNKNOWN],
    "presigned": True,
    "verbose_storage": False,
    "include_object_timerange": True,
    "tags": {"a": "x", "b": ["1", "2"]},
}


@rule("WHK-3", "WHK-4", "WHK-7", "WHK-8", "WHK-27", "WHK-28", "WHK-29", "WHK-34")
async def test_what_was_posted_is_shown(rig: Rig, spec: Spec) -> None:
    secret = {"api_key_value": "never shown", "status": "disabled"}
    answer = await rig.client.post(HOOKS, FULL | secret)
    shown = answer.json()
    assert shown == FULL | {"id": shown["id"], "status": "disabled"}
    spec.schema("webhook-get").validate(shown)
    assert answer.headers["location"] == f"{BASE_URL}{HOOKS}/{shown['id']}"
    assert (await rig.client.get(answer.headers["location"])).json() == shown
    assert (await rig.client.get(HOOKS)).json() == [shown]
    await rig.client.head(f"{HOOKS}/{shown['id']}")


@rule("WHK-4", "WHK-13")
async def test_defaults(rig: Rig, spec: Spec) -> None:
    shown = (await rig.client.post(HOOKS, MINIMAL)).json()
    assert shown == MINIMAL | {"id": shown["id"], "status": "created", "tags": {}}
    spec.schema("webhook-get").validate(shown)


@rule("WHK-3")
async def test_each_post_makes_another(rig: Rig, spec: Spec) -> None:
    first, second = [(await rig.client.post(HOOKS, spec.example("webhook-post"))).json() for _ in range(2)]
    assert first.pop("id") != second.pop("id")
    assert first == second
    example = spec.example("webhook-get-200")
    assert first == {name: example[name] for name in ("url", "api_key_name", "events")} | {
        "status": "created",
        "tags": {},
    }


async def test_members_that_no_schema_knows_are_ignored(rig: Rig) -> None:
    shown = (await rig.client.post(HOOKS, MINIMAL | {"colour": "red", "error": {}, "id": UNKNOWN})).json()
    assert shown.keys() == {"id", "url", "events", "status", "tags"}
    assert shown["id"] != UNKNOWN


@rule("WHK-5")
@pytest.mark.parametrize("event", ALL_TYPES)
async def test_every_type_of_event_is_known(rig: Rig, event: str) -> None:
    assert (await rig.client.post(HOOKS, MINIMAL | {"events": [event]})).json()["events"] == [event]


@rule("WHK-6")
async def test_no_events_are_a_webhook_all_the_same(rig: Rig) -> None:
    assert (await rig.client.post(HOOKS, MINIMAL | {"events": []})).json()["events"] == []


@rule("WHK-25")
async def test_absent_filters_and_empty_ones_stay_apart(rig: Rig) -> None:
    for name in ("flow_ids", "source_ids", "flow_collected_by_ids", "source_collected_by_ids", "accept_get_urls"):
        shown = (await rig.client.post(HOOKS, MINIMAL | {name: []})).json()
        assert {key: value for key, value in shown.items() if value == []} == {name: []}


@rule("WHK-4", "WHK-5", "WHK-19", "TAG-1")
@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("url", None),
        ("url", 5),
        ("events", None),
        ("events", "flows/created"),
        ("events[0]", ["flows/renamed"]),
        ("events[1]", ["flows/created", "flows/segments_updated"]),
        ("api_key_name", 5),
        ("api_key_name", "x" * 257),
        ("api_key_value", 5),
        ("api_key_value", "x" * 4097),
        ("status", "started"),
        ("status", "error"),
        ("status", None),
        ("flow_ids", FLOW),
        ("flow_ids[0]", ["not a UUID"]),
        ("flow_ids[0]", [FLOW.upper().replace("1", "A", 1)]),
        ("source_ids[1]", [FLOW, ""]),
        ("flow_collected_by_ids[0]", [5]),
        ("source_collected_by_ids[0]", ["x"]),
        ("accept_get_urls", "a,b"),
        ("accept_get_urls[0]", [1]),
        ("accept_storage_ids[0]", ["x"]),
        ("presigned", "true"),
        ("verbose_storage", 1),
        ("include_object_timerange", "yes"),
        ("tags", []),
        ("tags[...]", {"a": 5}),
        ("tags[...][1]", {"a": ["x", None]}),
    ],
)
async def test_what_a_schema_forbids_is_refused_by_its_name(rig: Rig, member: str, value: object) -> None:
    name = member.partition("[")[0]
    answer = await rig.client.post(HOOKS, MINIMAL | {name: value}, expect=400)
    assert answer.json()["field"] == f"$.{member}"
    assert (await rig.client.get(HOOKS)).json() == []


@rule("WHK-4", "GEN-19")
@pytest.mark.parametrize("member", ["url", "events"])
async def test_what_is_required(rig: Rig, member: str) -> None:
    body = {name: value for name, value in MINIMAL.items() if name != member}
    assert (await rig.client.post(HOOKS, body, expect=400)).json()["field"] == f"$.{member}"
    await rig.client.post(HOOKS, expect=400)


@rule("WHK-32")
@pytest.mark.parametrize(
    "url",
    [
        "",
        "/hook",
        "hook.example.com/in",
        "//hook.example.com/in",
        "ftp://hook.example.com/in",
        "file:///etc/passwd",
        "http:///in",
        "http://",
        "http://user@hook.example.com/in",
        "http://user:secret@hook.example.com/in",
        "http://hook.example.com/in#part",
        "http://hook.example.com/in#",
        "http://hook.example.com/a b",
        "http://hook.example.com/\r\nHost: other",
        "http://hook.example.com:0/in",
        "http://hook.example.com:65536/in",
        "http://hook.example.com:port/in",
        "http://[::1/in",
        "http://10.1.2.3/in",
        "http://169.254.169.254/latest/meta-data",
        "http://hook.example.com/" + "x" * 2048,
    ],
)
async def test_a_url_that_is_no_receivers_is_refused(rig: Rig, url: str) -> None:
    answer = await rig.client.post(HOOKS, MINIMAL | {"url": url}, expect=400)
    assert answer.json()["field"] == "$.url"
    assert answer.json()["message"].startswith("url")


@rule("WHK-33")
@pytest.mark.parametrize(
    "name",
    [
        *("", "two words", "a:b", "a\r\nb", "ключ", "(a)"),
        *("Host", "host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "TE", "Trailer"),
        *("Upgrade", "Expect", "Proxy-Authorization", "Content-Type", "Content-Encoding", "User-Agent"),
        *("webhook-id", "Webhook-Signature", "webhook-timestamp", "WEBHOOK-anything"),
    ],
)
async def test_a_header_that_is_not_free_is_refused(rig: Rig, name: str) -> None:
    body = MINIMAL | {"api_key_name": name, "api_key_value": "hidden"}
    answer = await rig.client.post(HOOKS, body, expect=400)
    assert answer.json()["field"] == "$.api_key_name"
    assert b"hidden" not in answer.body


@rule("WHK-33")
@pytest.mark.parametrize(
    "value", ["a\r\nb: c", "hidden\n", "hidden\r", "hidden\0", "\x1f", "\x7f", " hidden", "hidden "]
)
async def test_a_value_that_no_header_can_have_is_refused_and_not_shown(rig: Rig, value: str) -> None:
    body = MINIMAL | {"api_key_name": "X-Key", "api_key_value": value}
    answer = await rig.client.post(HOOKS, body, expect=400)
    assert answer.json()["field"] == "$.api_key_value"
    assert b"hidden" not in answer.body


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "!#$%&'*+-.^_`|~9", "Webhook", "X-Webhook-Id"])
@pytest.mark.parametrize("value", ["Bearer abc.def==", "", "a\tb", "naïve"])
async def test_other_headers_are_free(rig: Rig, name: str, value: str) -> None:
    shown = (await rig.client.post(HOOKS, MINIMAL | {"api_key_name": name, "api_key_value": value})).json()
    assert shown["api_key_name"] == name


async def test_a_value_without_a_header_is_refused(rig: Rig) -> None:
    answer = await rig.client.post(HOOKS, MINIMAL | {"api_key_value": "hidden"}, expect=400)
    assert answer.json()["field"] == "$.api_key_name"
    assert b"hidden" not in answer.body


async def test_what_is_too_large_is_refused(rig: Rig) -> None:
    many = MINIMAL | {"accept_get_urls": ["x" * 1000] * 110}
    assert (await rig.client.post(HOOKS, many, expect=400)).json()["field"] == "$"
    # The name of a tag stands beside each of its values where tags are filtered.
    wide = MINIMAL | {"tags": {"n" * 2000: [str(value) for value in range(60)]}}
    assert (await rig.client.post(HOOKS, wide, expect=400)).json()["field"] == "$.tags"


@rule("WHK-8", "WHK-9", "WHK-12", "WHK-34")
@pytest.mark.parametrize("path", [UNKNOWN, "no-uuid", FLOW.upper().replace("1", "A", 1)])
async def test_an_unknown_id_is_not_found(rig: Rig, path: str) -> None:
    await rig.client.get(f"{HOOKS}/{path}", expect=404)
    await rig.client.head(f"{HOOKS}/{path}", expect=404)
    await rig.client.put(f"{HOOKS}/{path}", MINIMAL | {"id": UNKNOWN, "status": "created"}, expect=404)
    await rig.client.delete(f"{HOOKS}/{path}", expect=404)


@rule("WHK-12")
async def test_a_deleted_webhook_is_gone_with_all_that_waited_for_it(rig: Rig) -> None:
    kept, gone = [await rig.register(rig.receiver.at().url) for _ in range(2)]

    def wait(tx: Tx) -> None:
        for webhook_id in (kept, gone):
            tx.touch(LANES, (webhook_id,))
            tx.insert(PARKED, [ParkedRow(webhook_id, FLOW, 1, 0, 0)])
            tx.insert(REPLAYS, [ReplayRow(webhook_id=webhook_id, created=1, id="x", kind="range", cursor=1, end=2)])
            tx.insert(REPLAY_PARKED, [ReplayParkedRow(webhook_id, FLOW, 1, 0, 0, replay_id="x")])

    await rig.store.run(wait)
    await rig.client.delete(f"{HOOKS}/{gone}")
    for method in ("GET", "HEAD", "DELETE"):
        await rig.client.send(method, f"{HOOKS}/{gone}", expect=404)
    assert [shown["id"] for shown in (await rig.client.get(HOOKS)).json()] == [kept]

    def left(reader: Reader) -> list[list[tuple[Scalar, ...]]]:
        ids: list[tuple[AnyTable, str]] = [
            (WEBHOOKS, "id"),
            *((t, "webhook_id") for t in (LANES, PARKED, REPLAYS, REPLAY_PARKED)),
        ]
        return [reader.select(table, (column,), query=Query()).rows for table, column in ids]

    assert await rig.store.read(left) == [[(kept,)]] * 5


@rule("WHK-31", "AUTH-16")
async def test_a_webhook_is_its_owners_and_admins(rig: Rig) -> None:
    webhook_id = await rig.register(rig.receiver.at().url)
    path = f"{HOOKS}/{webhook_id}"
    shown = (await rig.client.get(path)).json()
    stranger, operator = rig.client_of(STRANGER), rig.client_of(OPERATOR)
    assert (await stranger.get(HOOKS)).json() == []
    await stranger.get(path, expect=404)
    await stranger.put(path, shown, expect=404)
    await stranger.delete(path, expect=404)
    assert (await operator.get(HOOKS)).json() == [shown]
    assert (await operator.get(path)).json() == shown
    await operator.put(path, shown | {"tags": {"seen": "yes"}}, expect=201)
    assert (await rig.client.get(path)).json()["tags"] == {"seen": "yes"}
    await operator.delete(path)
    await rig.client.get(path, expect=404)


async def test_a_new_webhook_starts_at_the_end_of_the_log(rig: Rig) -> None:
    first = await rig.register(rig.receiver.at().url)
    for _ in range(3):
        await rig.store.run(lambda tx: append(tx, flow_event(), at=rig.clock()))
    second = await rig.register(rig.receiver.at().url)
    lanes = await rig.store.read(lambda r: r.get_many(LANES, [(first,), (second,)]))
    assert [lanes[first,].cursor, lanes[second,].cursor] == [0, 3]


async def test_what_deliveries_need_is_kept(rig: Rig) -> None:
    webhook_id = await rig.register(rig.receiver.at().url)
    row = await rig.store.read(lambda r: r.get(WEBHOOKS, (webhook_id,)))
    assert row is not None
    assert (row.base_url, row.created_by, row.created) == (BASE_URL, "owner", rig.clock())
    assert msgspec.json.decode(row.body).keys() == {"id", "url", "events", "tags"}
