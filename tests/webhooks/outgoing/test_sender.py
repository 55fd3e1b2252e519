import asyncio

import pytest

from tams_common.errors import InvalidInput
from tams_webhooks.outgoing.sender import Sender
from tests.common.eventually import eventually
from tests.common.outgoing.hostile import NO_CONTENT, answering, peer, resolving
from tests.webhooks.outgoing.conftest import Senders
from tests.webhooks.receiver import Reply, receiver

BODY = b'{"event":1}'
HEADERS = {"Content-Type": "application/json", "webhook-id": "e1", "X-Key": "s3cret"}


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206])
async def test_every_2xx_delivers(sender: Sender, status: int) -> None:
    async with receiver() as there:
        there.at().answer(status)
        answer = await sender.send(there.at().url, BODY, headers=HEADERS)
        (request,) = there.at().received
    assert (answer.status, answer.error, answer.retry_after) == (status, "", None)
    assert answer.delivered
    assert answer.latency > 0
    assert request.body == BODY
    assert request.id == "e1"
    assert request.headers["x-key"] == "s3cret"


@pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 408, 410, 413, 422, 500, 502, 503])
async def test_every_other_status_is_a_failure(sender: Sender, status: int) -> None:
    async with receiver() as there:
        there.at().answer(status)
        answer = await sender.send(there.at().url, BODY, headers=HEADERS)
    assert answer.status == status
    assert answer.error.startswith(f"the receiver answered {status}")
    assert not answer.delivered


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("value", "seconds"), [("7", 7), ("Tue, 14 Nov 2023 22:14:20 GMT", 60)])
async def test_a_receiver_may_ask_to_be_left_alone(sender: Sender, status: int, value: str, seconds: int) -> None:
    async with receiver() as there:
        there.at().answer(status, Retry_After=value)
        answer = await sender.send(there.at().url, BODY, headers=HEADERS)
    assert (answer.status, answer.retry_after) == (status, seconds)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(sender: Sender, status: int) -> None:
    async with receiver() as there:
        there.at().answer(status, Location=there.at("/other").url)
        answer = await sender.send(there.at().url, BODY, headers=HEADERS)
        there.at("/away").answer(status, Location="http://169.254.169.254/latest/meta-data/")
        away = await sender.send(there.at("/away").url, BODY, headers=HEADERS)
        assert there.at("/other").received == []
    assert answer.status == away.status == status
    assert "redirects are not followed" in away.error


async def test_requests_are_plain_posts_without_cookies_or_encodings(sender: Sender) -> None:
    async with receiver() as there:
        there.at().answer(200, Set_Cookie="a=b")
        for _ in range(2):
            await sender.send(there.at().url, BODY, headers=HEADERS)
        headers = dict(there.at().received[-1].headers)
    assert headers.pop("host") == there.url.removeprefix("http://")
    assert headers == {
        "accept": "*/*",
        "accept-encoding": "identity",
        "content-length": str(len(BODY)),
        "content-type": "application/json",
        "user-agent": "tams-webhooks",
        "webhook-id": "e1",
        "x-key": "s3cret",
    }


async def test_a_header_of_the_delivery_replaces_one_of_ours(sender: Sender) -> None:
    async with receiver() as there:
        await sender.send(there.at().url, BODY, headers={"user-agent": "mine"})
        assert there.at().received[0].headers["user-agent"] == "mine"


async def test_no_proxy_of_the_environment_is_used(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    async with peer(answering(NO_CONTENT)) as proxy, receiver() as there:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(path=""))
        assert (await sender.send(there.at().url, BODY, headers=HEADERS)).status == 204
        assert proxy.connections == 0


async def test_a_connection_serves_several_deliveries(sender: Sender) -> None:
    async with peer(answering(*[NO_CONTENT] * 3)) as there:
        for _ in range(3):
            assert (await sender.send(there.url(), BODY, headers=HEADERS)).delivered
        assert there.connections == 1


async def test_a_kept_connection_that_was_closed_meanwhile_is_no_failure(sender: Sender) -> None:
    """The second request is read and the connection closed without an answer, as if both had crossed."""
    async with peer(answering(NO_CONTENT, b"")) as there:
        for _ in range(2):
            assert (await sender.send(there.url(), BODY, headers=HEADERS)).delivered
        assert there.connections == 2
        assert len(there.requests) == 3


async def test_a_new_connection_that_is_closed_is_a_failure(sender: Sender) -> None:
    async with peer(answering(b"")) as there:
        answer = await sender.send(there.url(), BODY, headers=HEADERS)
        assert there.connections == 1
    assert (answer.status, answer.error) == (None, "the receiver closed the connection without an answer")


async def test_many_deliveries_at_once_are_kept_apart(sender: Sender) -> None:
    async with receiver() as there:
        there.at().answer_by(lambda request: Reply(int(request.headers["x-status"])))
        statuses = [200 + number % 300 for number in range(0, 300, 3) if 200 + number % 300 not in (204, 304)]
        answers = await asyncio.gather(
            *(sender.send(there.at().url, BODY, headers={"x-status": str(status)}) for status in statuses)
        )
    assert [answer.status for answer in answers] == statuses


async def test_names_are_looked_up_and_kept_in_the_host_header(senders: Senders) -> None:
    sender = senders(lookup=resolving(["127.0.0.1"]))
    async with peer(answering(NO_CONTENT, NO_CONTENT)) as there:
        assert (await sender.send(there.url("hooks.example"), BODY, headers={})).delivered
        assert (await sender.send(there.url("bücher.example"), BODY, headers={})).delivered
        assert f"host: hooks.example:{there.port}\r\n".encode() in there.requests[0].lower()
        assert f"host: xn--bcher-kva.example:{there.port}\r\n".encode() in there.requests[1].lower()


async def test_the_machines_own_resolver_is_asked(senders: Senders) -> None:
    async with peer(answering(NO_CONTENT)) as there:
        assert (await senders().send(there.url("localhost"), BODY, headers={})).delivered


async def test_a_receiver_on_ipv6(sender: Sender) -> None:
    async with peer(answering(NO_CONTENT), host="::1") as there:
        assert (await sender.send(there.url("[::1]"), BODY, headers={})).delivered


async def test_one_address_of_several_that_answers_is_enough(senders: Senders) -> None:
    sender = senders(lookup=resolving(["::1", "127.0.0.1"]))
    async with peer(answering(NO_CONTENT)) as there:
        assert (await sender.send(there.url("hooks.example"), BODY, headers={})).delivered


async def test_a_url_is_checked_before_it_is_registered(senders: Senders) -> None:
    with pytest.raises(InvalidInput, match="the machine itself"):
        await senders(allow="").check_url("http://127.0.0.1/")
    await senders().check_url("http://127.0.0.1/")


async def test_what_cannot_be_sent_shows_no_secret(sender: Sender) -> None:
    async with peer(answering(NO_CONTENT)) as there:
        answer = await sender.send(there.url(), BODY, headers={"X-Key": "s3cret\r\nX-Other: y"})
        assert there.requests == []
    assert (answer.status, answer.error) == (None, "the request cannot be sent: a header or the URL is not valid")


async def test_a_closed_sender_sends_nothing(senders: Senders) -> None:
    sender = senders()
    await sender.close()
    with pytest.raises(RuntimeError):
        await sender.send("http://127.0.0.1/", BODY, headers={})


async def test_a_delivery_can_be_cancelled(sender: Sender) -> None:
    async with receiver() as there:
        there.at().hang()
        sending = asyncio.create_task(sender.send(there.at().url, BODY, headers={}))
        await eventually(lambda: there.at().received)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
