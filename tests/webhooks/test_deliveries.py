"""`/service/webhooks/{webhookId}/deliveries`: attempts, tests, and who may see them."""

from typing import Any

import pytest

from tams_common.auth.principal import ADMIN, READ, Principal
from tams_common.ids import new_id
from tests.common.eventually import eventually
from tests.conformance import rule
from tests.webhooks.receiver import Reply
from tests.webhooks.rig import FLOW, OTHER_FLOW, Rig, flow_event, running, source_event
from tests.webhooks.words import attempted, parked, status


async def deliveries(rig: Rig, webhook: str, *, query: str = "") -> list[Any]:
    """What the API shows."""
    shown: list[Any] = (await rig.client.get(f"/service/webhooks/{webhook}/deliveries?{query}")).json()
    return shown


async def test_attempts_are_shown_the_newest_first() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        endpoint.answer(503)
        webhook = await rig.register(endpoint.url)
        event = flow_event()
        await rig.append(event)
        await eventually(parked(rig, webhook, count=1))
        (failed,) = await deliveries(rig, webhook)
        assert failed["latency_ms"] > 0
        assert failed["next_try"].startswith("2023-11-14T22:13:2")
        assert failed | {"latency_ms": 0, "next_try": ""} == {
            "at": "2023-11-14T22:13:20.000000Z",
            "outcome": "retrying",
            "event_id": event.id,
            "event_type": "flows/updated",
            "key": FLOW,
            "tries": 1,
            "status": 503,
            "latency_ms": 0,
            "error": "the receiver answered 503 Service Unavailable",
            "next_try": "",
        }
        endpoint.answer(204)
        rig.clock.advance(seconds=6)
        await eventually(attempted(rig, webhook, count=2))
        first, second = await deliveries(rig, webhook)
        assert (first["outcome"], first["tries"], first["status"]) == ("delivered", 2, 204)
        assert "error" not in first
        assert "next_try" not in first
        assert second == failed


async def test_attempts_come_in_pages_and_are_filtered() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        endpoint.answer_by(lambda request: Reply(500 if OTHER_FLOW.encode() in request.body else 204))
        webhook = await rig.register(endpoint.url)
        await rig.append(*(flow_event(at=n + 1) for n in range(20)), flow_event(OTHER_FLOW), source_event())
        await eventually(attempted(rig, webhook, count=22))
        answer = await rig.client.get(f"/service/webhooks/{webhook}/deliveries?limit=5")
        pages = [answer.json()]
        while link := answer.headers.get("link"):
            answer = await rig.client.get(link.partition(">")[0].removeprefix("<"))
            pages.append(answer.json())
        assert [len(page) for page in pages] == [5, 5, 5, 5, 2]
        moments = [item["at"] for page in pages for item in page]
        assert moments == sorted(moments, reverse=True)
        assert len({item["event_id"] for page in pages for item in page}) == 22
        for query, count in {
            "outcome=retrying": 1,
            "outcome=delivered&limit=100": 21,
            f"key={FLOW}&limit=100": 20,
            "event_type=sources/updated": 1,
            f"key={OTHER_FLOW}&outcome=delivered": 0,
        }.items():
            assert len(await deliveries(rig, webhook, query=query)) == count


@pytest.mark.parametrize("query", ["outcome=lost", "event_type=flows", "key=x", "limit=0", "page=x"])
async def test_bad_filters_are_refused(rig: Rig, query: str) -> None:
    webhook = await rig.register(rig.receiver.at().url)
    await rig.client.get(f"/service/webhooks/{webhook}/deliveries?{query}", expect=400)


async def test_a_test_is_sent_at_once_whatever_the_status() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url, api_key_name="X-Key", api_key_value="secret", status="disabled")
        shown = (await rig.client.post(f"/service/webhooks/{webhook}/deliveries/test", expect=200)).json()
        (request,) = endpoint.accepted
        assert request.id == shown["event_id"]
        assert request.headers["x-key"] == "secret"
        assert request.json() == {
            "event_type": "webhooks/test",
            "event_timestamp": "2023-11-14T22:13:20.000000Z",
            "event": {"webhook_id": webhook},
        }
        assert (shown["outcome"], shown["status"]) == ("delivered", 204)
        endpoint.answer(404)
        failed = (await rig.client.post(f"/service/webhooks/{webhook}/deliveries/test", expect=200)).json()
        assert (failed["outcome"], failed["status"]) == ("failed", 404)
        assert await deliveries(rig, webhook) == [failed, shown]
        assert await deliveries(rig, webhook, query="event_type=webhooks/test&outcome=failed") == [failed]
        assert (await rig.lane(webhook)).failing_since == 0


async def test_a_test_does_not_disturb_what_runs() -> None:
    async with running() as rig, rig.started():
        endpoint = rig.receiver.at()
        webhook = await rig.register(endpoint.url)
        await eventually(status(rig, webhook, is_="started"))
        for n in range(20):
            await rig.append(flow_event(at=n + 1))
            await rig.client.post(f"/service/webhooks/{webhook}/deliveries/test", expect=200)
        await eventually(attempted(rig, webhook, count=40))
        assert len(endpoint.accepted) == 40


@rule("WHK-31")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "deliveries"),
        ("GET", "deliveries/replays"),
        ("POST", "deliveries/replay"),
        ("POST", "deliveries/retry"),
        ("POST", "deliveries/test"),
    ],
)
async def test_only_the_owner_and_admins_see_them(rig: Rig, method: str, path: str) -> None:  # WHK-31
    webhook = await rig.register(rig.receiver.at().url)
    stranger = rig.client_of(Principal("stranger", frozenset({READ})))
    admin = rig.client_of(Principal("boss", frozenset({ADMIN})))
    body = b'{"failed":true}'
    await stranger.send(method, f"/service/webhooks/{webhook}/{path}", body=body, expect=404)
    await rig.client.send(method, f"/service/webhooks/{new_id()}/{path}", body=body, expect=404)
    if not path.endswith("test"):
        expected = 202 if method == "POST" else 200
        await admin.send(method, f"/service/webhooks/{webhook}/{path}", body=body, expect=expected)
