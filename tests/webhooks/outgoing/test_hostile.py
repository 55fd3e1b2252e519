import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence

import pytest

from tests.common.eventually import eventually
from tests.common.http.sockets import refusing
from tests.common.outgoing.hostile import (
    NO_CONTENT,
    Peer,
    Script,
    answering,
    dripping,
    hasty,
    peer,
    pouring,
    resolving,
)
from tests.webhooks.outgoing.conftest import Senders

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SHORT = 0.3
"""Seconds: enough for an answer from this machine, where the test waits for the end of time."""

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]


def reset(peer: Peer) -> Script:
    """Reads a request and resets the connection."""

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.request(reader)
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    return run


def half_close(peer: Peer) -> Script:
    """Reads a request, says that it has nothing to say, and goes on listening."""

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.request(reader)
        writer.write_eof()
        await reader.read()

    return run


def silent(peer: Peer) -> Script:
    """Takes the connection and reads nothing."""

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    return run


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (reset, "the connection broke: Connection reset by peer"),
        (half_close, "the receiver closed the connection without an answer"),
        (answering(b"SSH-2.0-OpenSSH_9.6\r\n"), "the receiver's answer is not HTTP, or its headers are too large"),
        (answering(b"HTTP/1.1 2000 OK\r\n\r\n"), "the receiver's answer is not HTTP, or its headers are too large"),
        (
            answering(OK + b"Content-Length: x\r\n\r\n"),
            "the receiver's answer is not HTTP, or its headers are too large",
        ),
        (answering(OK + b"X: y"), "the receiver closed the connection without an answer"),
        (pouring(OK + b"X: ", b"x" * 65536), "the receiver's answer is not HTTP, or its headers are too large"),
        (pouring(OK, b"X: y\r\n" * 1000), "the receiver's answer is not HTTP, or its headers are too large"),
        (pouring(b"", b"HTTP/1.1 " + b"2" * 65536), "the receiver's answer is not HTTP, or its headers are too large"),
    ],
)
async def test_what_is_no_answer_is_a_failure(senders: Senders, script: Callable[[Peer], Script], error: str) -> None:
    sender = senders()
    async with peer(script) as there:
        answer = await sender.send(there.url(), b"{}", headers={})
        assert (answer.status, answer.error) == (None, error)
        await eventually(lambda: there.ended == there.connections)
        assert len(there.requests) == 1


@pytest.mark.parametrize(
    "script",
    [
        silent,
        dripping(b"HTTP/1.1 200 ", b"O"),
        dripping(OK, b"X"),
        dripping(OK, b"X: y\r\n"),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        pouring(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
)
async def test_one_limit_of_time_covers_all_of_an_attempt(senders: Senders, script: Callable[[Peer], Script]) -> None:
    sender = senders(timeout=SHORT)
    async with peer(script) as there:
        answer = await sender.send(there.url(), b"{}", headers={})
        assert (answer.status, answer.error) == (None, "no answer within 0.3 s")
        assert answer.latency >= SHORT * 1e9


async def test_a_body_that_nobody_takes_ends_in_time(senders: Senders) -> None:
    async with peer(silent) as there:
        answer = await senders(timeout=SHORT).send(there.url(), b"x" * 50_000_000, headers={})
        assert answer.error == "no answer within 0.3 s"


@pytest.mark.parametrize(
    "script",
    [
        pouring(OK + b"\r\n", b"x" * 65536),
        pouring(OK + b"Content-Length: 1000000000000\r\n\r\n", b"x" * 65536),
        pouring(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        dripping(OK + b"\r\n", b"x"),
        dripping(CHUNKED, b"1\r\nx\r\n"),
        answering(OK + b"Content-Length: 10\r\n\r\nshort"),
        answering(OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nbombs"),
    ],
)
async def test_the_status_counts_whatever_follows_it(senders: Senders, script: Callable[[Peer], Script]) -> None:
    sender = senders()
    async with peer(script) as there:
        answer = await sender.send(there.url(), b"{}", headers={})
        assert (answer.status, answer.error) == (200, "")
        await eventually(lambda: there.ended == 1)


async def test_an_answer_that_comes_before_the_request_is_read_counts(senders: Senders) -> None:
    async with peer(hasty(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")) as there:
        assert (await senders().send(there.url(), b"{}", headers={})).status == 413


async def test_nobody_listens(senders: Senders) -> None:
    with refusing() as url:
        answer = await senders().send(url, b"{}", headers={})
    assert (answer.status, answer.error) == (None, "no connection to the receiver: Connection refused")


async def test_a_host_that_does_not_resolve(senders: Senders) -> None:
    answer = await senders(lookup=resolving([])).send("http://hooks.example/", b"{}", headers={})
    assert (answer.status, answer.error) == (None, "the receiver's host does not resolve")


async def test_a_resolver_that_hangs_ends_in_time(senders: Senders) -> None:
    async def lookup(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    sender = senders(lookup=lookup, timeout=SHORT)
    answers = await asyncio.gather(*(sender.send("http://hooks.example/", b"{}", headers={}) for _ in range(3)))
    assert {answer.error for answer in answers} == {"no answer within 0.3 s"}


async def test_dns_that_changes_after_the_check_is_judged_again(senders: Senders) -> None:
    async with peer(answering(NO_CONTENT)) as there:
        sender = senders(allow="", lookup=resolving(["93.184.216.34"], ["127.0.0.1"]))
        await sender.check_url(there.url("rebinding.example"))
        answer = await sender.send(there.url("rebinding.example"), b"{}", headers={})
        assert there.connections == 0
    assert answer.status is None
    assert "rebinding.example belongs to the machine itself" in answer.error


async def test_what_was_judged_is_what_is_connected_to(senders: Senders) -> None:
    """Between the judgement and the connection nobody is asked again."""
    async with peer(answering(NO_CONTENT, NO_CONTENT)) as there, peer(answering(NO_CONTENT)) as other:
        lookup = resolving(["127.0.0.1"], ["127.0.0.2"])
        sender = senders(allow="127.0.0.1", lookup=lookup)
        for _ in range(2):
            assert (await sender.send(there.url("hooks.example"), b"{}", headers={})).delivered
        refused = await sender.send(other.url("hooks.example"), b"{}", headers={})
        assert "the machine itself" in refused.error
        assert (there.connections, other.connections) == (1, 0)


async def test_one_private_address_among_public_ones_is_enough_to_refuse(senders: Senders) -> None:
    async with peer(answering(NO_CONTENT)) as there:
        sender = senders(allow="", lookup=resolving(["93.184.216.34", "127.0.0.1"]))
        assert "the machine itself" in (await sender.send(there.url("a.example"), b"{}", headers={})).error
        assert there.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f.1", "0177.0.0.1"])
async def test_addresses_in_urls_are_judged_at_every_attempt(senders: Senders, host: str) -> None:
    async with peer(answering(NO_CONTENT)) as there:
        answer = await senders(allow="").send(there.url(host), b"{}", headers={})
        assert answer.error.startswith("url: ")
        assert there.connections == 0


async def test_a_mapped_address_is_reached_where_the_inner_one_is_allowed(senders: Senders) -> None:
    async with peer(answering(NO_CONTENT)) as there:
        answer = await senders(allow="127.0.0.1").send(there.url("[::ffff:127.0.0.1]"), b"{}", headers={})
        assert answer.delivered
